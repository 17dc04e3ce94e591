"""``metering reconcile``: whether Amberflo reports what the ledger has."""

import json
import time
from typing import Annotated, Any

import msgspec
import typer

from amberflo_workflows.cli.context import get_api_client, get_deployment, reported_errors
from amberflo_workflows.cli.options import HoursEnd, HoursStart, Json, Yes, parse_hours, reject_empty
from amberflo_workflows.cli.output import fail, say, show_status, show_table
from amberflo_workflows.cli.replay import send_again
from amberflo_workflows.cli.waiting import wait_for
from amberflo_workflows.core.ledger.comparison import OUTCOMES, ComparedHour
from amberflo_workflows.operate.ledger.reconciliation import OUTCOME_WORDS, Reconciliation, start_reconciliation
from amberflo_workflows.operate.times import InvalidTime, parse_duration
from amberflo_workflows.operate.usage_report import format_number, format_time

app = typer.Typer(add_completion=False)


@app.command()
def reconcile(
    context: typer.Context,
    *,
    start: HoursStart = "24h",
    end: HoursEnd = None,
    meter: Annotated[str | None, typer.Option(callback=reject_empty, help="Only this meter.")] = None,
    tenant: Annotated[str | None, typer.Option(callback=reject_empty, help="Only this tenant.")] = None,
    lag: Annotated[
        str | None,
        typer.Option(help="A difference of usage this long ago may still go away. Default: that of the deployment."),
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Send the usage of the hours that are missing at Amberflo again.")
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Compare the ledger with what Amberflo reports, for each meter, tenant and hour."""
    if as_json and repair:
        raise fail("--json and --repair exclude each other; use metering replay --reconciliation", 2)
    first, last = parse_hours(start, end, int(time.time()))
    request: dict[str, Any] = {"startTimeInSeconds": first, "endTimeInSeconds": last}
    if tenant is not None:
        request["tenantId"] = tenant
    if lag is not None:
        request["lagSeconds"] = _parse_lag(lag)
    with reported_errors(), show_status("Comparing the ledger with Amberflo"):
        client = get_api_client(context)
        if meter is not None:
            request["meterApiName"] = client.get_meter(meter)["meterApiName"]
        operation = start_reconciliation(client, get_deployment(context), request)
        result = msgspec.convert(wait_for(context, operation), Reconciliation)
    if as_json:
        print(json.dumps(msgspec.to_builtins(result), indent=2))
    else:
        _print(result)
    if repair and result.outcomes["missing"]:
        send_again(context, {"reconciliation": result.id}, dry_run=False, yes=yes, as_json=False)
    elif result.outcomes["missing"] and not as_json:
        say(f"Send it again: {client.command} replay --reconciliation {result.id}")
    raise typer.Exit(1 if result.has_drift else 0)


def _parse_lag(text: str) -> int:
    try:
        return parse_duration(text)
    except InvalidTime as error:
        raise fail(f"--lag: {error}", 2) from None


def _print(result: Reconciliation) -> None:
    if result.differences:
        columns = ("meter", "tenant", "hour (UTC)", "ledger", "Amberflo", "difference", "outcome")
        show_table(columns, map(_build_row, result.differences), numbers=("ledger", "Amberflo", "difference"))
    if result.differences_omitted:
        say(f"{result.differences_omitted:,} more are in s3://{result.report.bucket}/{result.report.prefix}")
    counts = ", ".join(f"{result.outcomes[outcome]:,} {OUTCOME_WORDS[outcome]}" for outcome in OUTCOMES)
    say(f"{counts} (hours of a meter and a tenant).")
    waiting = {"rejected": result.waiting.rejected, "in the queue": result.waiting.queued, "dead": result.waiting.dead}
    texts = [f"{count:,} {where}" for where, count in waiting.items() if count]
    if texts:
        say(f"On neither side: {', '.join(texts)}.")
    if result.meters_without_sum:
        say(f"Not compared, since the values of their type have no sum: {', '.join(result.meters_without_sum)}.")


def _build_row(hour: ComparedHour) -> tuple[str, ...]:
    numbers = (hour.ledger, hour.amberflo, hour.ledger - hour.amberflo)
    at = format_time(hour.start_time_in_seconds)[:16]
    return hour.meter_api_name, hour.tenant_id, at, *map(format_number, numbers), OUTCOME_WORDS[hour.outcome]
