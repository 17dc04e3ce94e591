"""``metering close``: whether a billing period is ready to be invoiced."""

import json
import time
from typing import Annotated, Any

import msgspec
import typer

from amberflo_workflows.cli.context import get_api_client, get_deployment, reported_errors
from amberflo_workflows.cli.options import Json, parse_hours, reject_empty
from amberflo_workflows.cli.output import fail, say, show_status
from amberflo_workflows.cli.waiting import wait_for
from amberflo_workflows.operate.ledger.period import ClosedPeriod, start_closing
from amberflo_workflows.operate.usage_report import format_time

app = typer.Typer(add_completion=False)


@app.command()
def close(
    context: typer.Context,
    *,
    month: Annotated[str | None, typer.Option(callback=reject_empty, help="A month in UTC, such as 2026-11.")] = None,
    start: Annotated[
        str | None, typer.Option("--from", callback=reject_empty, help="Start of another period, as in reconcile.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", callback=reject_empty, help="Its end. Default: now.")] = None,
    as_json: Json = False,
) -> None:
    """Check whether a billing period is ready to be invoiced: reconciled, and nothing of it waits."""
    request = _build_request(month, start, end)
    with reported_errors(), show_status("Comparing the ledger with Amberflo"):
        client = get_api_client(context)
        operation = start_closing(client, get_deployment(context), request)
        period = msgspec.convert(wait_for(context, operation), ClosedPeriod)
    if as_json:
        print(json.dumps(msgspec.to_builtins(period), indent=2))
    else:
        _print(period)
    raise typer.Exit(0 if period.is_ready else 1)


def _build_request(month: str | None, start: str | None, end: str | None) -> dict[str, Any]:
    if (month is None) == (start is None) or (month is not None and end is not None):
        raise fail("Set either --month, or --from and --to", 2)
    if month is not None:
        return {"month": month}
    first, last = parse_hours(start or "", end, int(time.time()))
    return {"startTimeInSeconds": first, "endTimeInSeconds": last}


def _print(period: ClosedPeriod) -> None:
    first, last = (format_time(seconds)[:16] for seconds in (period.start_time_in_seconds, period.end_time_in_seconds))
    say(f"The period from {first} to {last} UTC is {'ready to be invoiced' if period.is_ready else 'not ready'}.")
    for reason in period.reasons:
        say(f"{reason.code} ({reason.count:,}): {reason.message}")
