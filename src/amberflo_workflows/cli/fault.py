"""``metering fault``."""

import json
from typing import Annotated, Any

import typer

from amberflo_workflows.cli.context import require_local_system
from amberflo_workflows.cli.options import Json
from amberflo_workflows.cli.output import fail, say

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Inject faults into the sandbox, and clear them.")


@app.command("set")
def set_(
    kind: Annotated[
        str,
        typer.Argument(help="status, delay, drop, hang, cut_off, bomb, accept_then_drop, wrong_key, redirect, garbage"),
    ],
    *,
    path: Annotated[str, typer.Option(help="Pattern of the paths that fail.")] = "*",
    status: Annotated[int, typer.Option(help="For the kind status: the status code.")] = 503,
    seconds: Annotated[float, typer.Option(help="For the kinds delay and hang: how long.")] = 30,
    times: Annotated[int | None, typer.Option(help="Number of calls that fail. Default: all, until cleared.")] = None,
    share: Annotated[float, typer.Option(help="Share of the calls that fail, above 0 and up to 1.")] = 1.0,
    as_json: Json = False,
) -> None:
    """Set a fault, which replaces all earlier ones."""
    fault: dict[str, Any] = {"kind": kind, "path": path, "status": status, "seconds": seconds, "share": share}
    if times is not None:
        fault["times"] = times
    _set_faults([fault], as_json)


@app.command()
def clear(as_json: Json = False) -> None:
    """Clear all faults."""
    _set_faults([], as_json)


def _set_faults(faults: list[dict[str, Any]], as_json: bool) -> None:
    sandbox = require_local_system().sandbox
    if sandbox is None:
        raise fail("this system calls the real Amberflo; only a sandbox can have faults.")
    try:
        sandbox.set_faults(faults)
    except ValueError as error:
        raise fail(error) from None
    if as_json:
        print(json.dumps(sandbox.faults()))
    else:
        say("The fault is set." if faults else "All faults are cleared.")
