"""``metering fault``."""

import json
import math
from typing import Annotated, Any

import typer

from amberflo_workflows.cli.context import require_local_system
from amberflo_workflows.cli.options import Json
from amberflo_workflows.cli.output import fail, say
from amberflo_workflows.sandbox.faults import Kind

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Inject faults into the sandbox, and clear them.")


def _check_seconds(seconds: float) -> float:
    if not 0 <= seconds < math.inf:
        raise fail("--seconds must be a finite number that is not negative", 2)
    return seconds


def _check_share(share: float) -> float:
    if not 0 < share <= 1:
        raise fail("--share must be above 0 and at most 1", 2)
    return share


@app.command("set")
def set_(
    kind: Annotated[Kind, typer.Argument(help="What happens to the calls.")],
    *,
    path: Annotated[str, typer.Option(help="Pattern of the paths that fail.")] = "*",
    status: Annotated[
        int, typer.Option(min=200, max=599, help="For the kinds status and accept_then_status: the status code.")
    ] = 503,
    seconds: Annotated[
        float, typer.Option(callback=_check_seconds, help="For the kinds delay, hang and trickle: how long.")
    ] = 30,
    times: Annotated[
        int | None, typer.Option(min=1, help="Number of calls that fail. Default: all, until cleared.")
    ] = None,
    share: Annotated[
        float, typer.Option(callback=_check_share, help="Share of the calls that fail, above 0 and up to 1.")
    ] = 1.0,
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
    sandbox.set_faults(faults)
    if as_json:
        print(json.dumps(sandbox.faults()))
    else:
        say("The fault is set." if faults else "All faults are cleared.")
