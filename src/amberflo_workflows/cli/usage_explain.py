"""``metering usage explain``: the records that make up a tenant's usage of a meter."""

import json
import time
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from amberflo_workflows.cli.context import get_api_client, reported_errors
from amberflo_workflows.cli.options import HoursEnd, Json, Meter, parse_hour, parse_hours, reject_empty
from amberflo_workflows.cli.output import fail, say, show_status, show_table
from amberflo_workflows.core.meter import ADDITIVE_METER_TYPES
from amberflo_workflows.operate import usage_report
from amberflo_workflows.operate.ledger.explanation import Explanation, explain_usage, find_meter
from amberflo_workflows.operate.usage_report import format_number, format_time

if TYPE_CHECKING:
    from amberflo_workflows.operate.api_client import ApiClient, Query


def explain(
    context: typer.Context,
    *,
    meter: Meter,
    tenant: Annotated[str, typer.Argument(metavar="TENANT", callback=reject_empty, help="The tenant's id.")],
    start: Annotated[
        str | None,
        typer.Option(
            "--from", help="Start: ISO 8601, epoch seconds, or a time ago like 7d. In full hours. Default: 24h."
        ),
    ] = None,
    end: HoursEnd = None,
    hour: Annotated[str | None, typer.Option(metavar="HOUR", help="Only this hour in UTC, like 2026-11-27T15.")] = None,
    as_json: Json = False,
) -> None:
    """List the records that make up a tenant's usage of a meter, and compare their sum with Amberflo."""
    now = int(time.time())
    first, last = _parse_range(start, end, hour, now)
    with reported_errors(), show_status("Reading the ledger") as update:
        client = get_api_client(context)
        amberflo_meter = find_meter(client.get_meter, meter)
        explanation = explain_usage(
            client,
            amberflo_meter,
            tenant,
            (first, last),
            on_progress=lambda count: update(f"Reading the ledger: {count:,} records"),
        )
        reported = _fetch_reported(client, amberflo_meter, tenant, (first, min(last, now)))
        if reported is None and not explanation.records:
            # Neither has this meter, so the error of the lookup is raised after all.
            client.get_meter(meter)
    if as_json:
        print(json.dumps(_describe(explanation, reported), indent=2))
        return
    _show(explanation)
    if reported is None:
        say(f"Amberflo has no meter {meter}, so there is nothing to compare. It was deleted, or the name is wrong.")
    elif amberflo_meter["meterType"] in ADDITIVE_METER_TYPES:
        say(f"The ledger has {format_number(explanation.total)}, Amberflo reports {format_number(reported)}.")
    else:
        say(f"The values of this type of meter have no sum. Amberflo reports {format_number(reported)}.")


def _fetch_reported(
    client: "ApiClient", meter: dict[str, Any], tenant: str, time_range: tuple[int, int]
) -> float | None:
    """Return what Amberflo reports, or ``None`` if it has no such meter."""
    if "meterType" not in meter:
        return None
    query: Query = {"groupBy": "customerId", "tenantId": [tenant]}
    usage = usage_report.fetch_usage(client, meter, time_range, "HOUR", query)
    return sum(group.total for group in usage.groups)


def _parse_range(start: str | None, end: str | None, hour: str | None, now: int) -> tuple[int, int]:
    if hour is None:
        return parse_hours(start or "24h", end, now)
    if start is not None or end is not None:
        raise fail("--hour excludes --from and --to", 2)
    return parse_hour("--hour", hour)


def _describe(explanation: Explanation, reported: float | None) -> dict[str, object]:
    return {
        "usages": msgspec.to_builtins(explanation.records),
        "total": explanation.total,
        "reportedByAmberflo": reported,
    }


def _show(explanation: Explanation) -> None:
    rows = []
    for usage in explanation.records:
        entry = usage.counted[0]
        rows.append(
            (
                format_time(usage.record.meter_time_in_millis // 1000),
                format_number(usage.record.meter_value),
                usage.record.unique_id,
                entry.event_id,
                entry.time[:19].replace("T", " "),
                "cancelled" if usage.cancelled_by else "counted",
                entry.execution_arn.rpartition(":")[2],
            )
        )
    if rows:
        columns = ("time", "value", "unique id", "event", "counted at", "outcome", "execution")
        show_table(columns, rows, numbers=("value",))
    else:
        say("The ledger has no usage of this tenant and meter in this time.")
