"""``metering reconcile``: whether Amberflo reports what the ledger has."""

import json
import time
from typing import Annotated, Final

import msgspec
import typer

from amberflo_workflows.cli.context import get_api_client, get_deployment, reported_errors
from amberflo_workflows.cli.options import HoursEnd, HoursStart, Json, parse_hours, reject_empty
from amberflo_workflows.cli.output import fail, say, show_status, show_table
from amberflo_workflows.core.ledger.comparison import OUTCOMES, ComparedHour, HourOutcome
from amberflo_workflows.operate.ledger import reconciliation
from amberflo_workflows.operate.ledger.reconciliation import Reconciliation
from amberflo_workflows.operate.times import InvalidTime, parse_duration
from amberflo_workflows.operate.usage_report import format_number, format_time

app = typer.Typer(add_completion=False)

# Amberflo's hourly view of usage is about three hours late.
DEFAULT_LAG: Final = "4h"
_WORDS: Final[dict[HourOutcome, str]] = {
    "agreed": "agreed",
    "missing": "missing at Amberflo",
    "unknown": "more at Amberflo than in the ledger",
    "tooFresh": "too fresh to tell",
}


@app.command()
def reconcile(
    context: typer.Context,
    *,
    start: HoursStart = "24h",
    end: HoursEnd = None,
    meter: Annotated[str | None, typer.Option(callback=reject_empty, help="Only this meter.")] = None,
    tenant: Annotated[str | None, typer.Option(callback=reject_empty, help="Only this tenant.")] = None,
    lag: Annotated[str, typer.Option(help="A difference of an hour this long ago may still go away.")] = DEFAULT_LAG,
    as_json: Json = False,
) -> None:
    """Compare the ledger with what Amberflo reports, for each meter, tenant and hour."""
    now = int(time.time())
    time_range = parse_hours(start, end, now)
    try:
        lag_seconds = parse_duration(lag)
    except InvalidTime as error:
        raise fail(f"--lag: {error}", 2) from None
    with reported_errors(), show_status("Reading the ledger and Amberflo"):
        client = get_api_client(context)
        meters = [client.get_meter(meter)] if meter else list(client.list_meters())
        result = reconciliation.reconcile(
            get_deployment(context), client, meters, time_range, now=now, lag_seconds=lag_seconds
        )
    names = {item["meterApiName"] for item in meters} if meter else None
    hours = [
        compared
        for compared in result.hours
        if tenant in {None, compared.tenant_id} and (names is None or compared.meter_api_name in names)
    ]
    result = result._replace(hours=hours)
    if as_json:
        _print_json(result)
    else:
        _print(result)
    raise typer.Exit(1 if result.has_drift else 0)


def _print_json(result: Reconciliation) -> None:
    output = {
        "outcomes": {outcome: result.count(outcome) for outcome in OUTCOMES},
        "differences": [msgspec.to_builtins(hour) for hour in result.hours if hour.outcome != "agreed"],
        "metersWithoutSum": result.meters_without_sum,
    }
    print(json.dumps(output, indent=2))


def _print(result: Reconciliation) -> None:
    differences = [hour for hour in result.hours if hour.outcome != "agreed"]
    if differences:
        columns = ("meter", "tenant", "hour (UTC)", "ledger", "Amberflo", "difference", "outcome")
        show_table(columns, map(_build_row, differences), numbers=("ledger", "Amberflo", "difference"))
    counts = ", ".join(f"{result.count(outcome):,} {_WORDS[outcome]}" for outcome in OUTCOMES)
    say(f"{counts} (hours of a meter and a tenant).")
    if result.meters_without_sum:
        say(f"Not compared, since the values of their type have no sum: {', '.join(result.meters_without_sum)}.")


def _build_row(hour: ComparedHour) -> tuple[str, ...]:
    numbers = (hour.ledger, hour.amberflo, hour.ledger - hour.amberflo)
    at = format_time(hour.start_time_in_seconds)[:16]
    return hour.meter_api_name, hour.tenant_id, at, *map(format_number, numbers), _WORDS[hour.outcome]
