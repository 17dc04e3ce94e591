"""``metering fault``: make the sandbox misbehave, and behave again."""

import json
from typing import Annotated, Any

import typer

from amberflo_workflows.cli.shared import Json, fail, require_local_system, say

app = typer.Typer(no_args_is_help=True, help="Make the sandbox misbehave, and behave again.")


@app.command("set")
def set_(
    kind: Annotated[
        str,
        typer.Argument(help="status, delay, drop, hang, cut_off, bomb, accept_then_drop, wrong_key, redirect, garbage"),
    ],
    *,
    path: Annotated[str, typer.Option(help="Pattern of the paths it strikes.")] = "*",
    status: Annotated[int, typer.Option(help="For kind status.")] = 503,
    seconds: Annotated[float, typer.Option(help="For delay and hang.")] = 30,
    times: Annotated[int | None, typer.Option(help="How many calls; default: until cleared.")] = None,
    share: Annotated[float, typer.Option(help="Part of the calls, above 0 and up to 1.")] = 1.0,
    as_json: Json = False,
) -> None:
    """Replace the faults by this one."""
    fault: dict[str, Any] = {"kind": kind, "path": path, "status": status, "seconds": seconds, "share": share}
    if times is not None:
        fault["times"] = times
    _arm([fault], as_json)


@app.command()
def clear(as_json: Json = False) -> None:
    """Behave again."""
    _arm([], as_json)


def _arm(faults: list[dict[str, Any]], as_json: bool) -> None:
    sandbox = require_local_system().sandbox
    if sandbox is None:
        raise fail("this system talks to the real Amberflo; only a sandbox has faults.")
    try:
        sandbox.set_faults(faults)
    except ValueError as error:
        raise fail(error) from None
    if as_json:
        print(json.dumps(sandbox.faults()))
    else:
        say("The sandbox misbehaves as told." if faults else "The sandbox behaves.")
