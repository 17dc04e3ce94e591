"""``metering trace``: what became of a usage."""

import json
import time
from typing import Annotated

import typer

from amberflo_workflows.cli.context import get_command_prefix, get_deployment, reported_errors
from amberflo_workflows.cli.options import Json, parse_time_option, reject_empty
from amberflo_workflows.cli.output import fail, say, show_status
from amberflo_workflows.core.canonical import normalize_text
from amberflo_workflows.operate.ledger.reader import open_ledger
from amberflo_workflows.operate.ledger.usage_trace import TracedEntry, trace_usage
from amberflo_workflows.operate.rejected.table import RejectedTable
from amberflo_workflows.operate.usage_report import format_number, format_time

app = typer.Typer(add_completion=False)


@app.command()
def trace(
    context: typer.Context,
    *,
    unique_id: Annotated[str, typer.Argument(metavar="UNIQUE_ID", callback=reject_empty, help="The usage's uniqueId.")],
    since: Annotated[
        str, typer.Option(help="Since when to look: ISO 8601, epoch seconds, or a time ago like 7d.")
    ] = "7d",
    as_json: Json = False,
) -> None:
    """Show what became of a usage: when it was counted, rejected or cancelled, and by which execution."""
    now = int(time.time())
    start = parse_time_option("--since", since, now)
    with reported_errors(), show_status("Reading the ledger"):
        deployment = get_deployment(context)
        ledger = open_ledger(deployment)
        entries = ledger.read_receipts(ledger.list_receipts(start, now))
        traced = trace_usage(entries, normalize_text(unique_id.strip()))
        rejections = {line.entry.rejection.id for line in traced if line.entry.rejection}
        items = list(RejectedTable(deployment).get(sorted(rejections)))
    if as_json:
        statuses = [{"id": item.id, "status": item.status, "reason": item.reason} for item in items]
        print(json.dumps({"ledger": [line.to_json() for line in traced], "rejected": statuses}, indent=2))
        return
    if not traced:
        raise fail(
            f"The ledger has no usage '{unique_id}' since {format_time(start)} UTC. It may be in the "
            f"queue, or in the dead-letter queue: {get_command_prefix(context)} dead list"
        )
    for line in traced:
        _show(line)
    for item in items:
        say(f"Rejected usage {item.id} is {item.status}: {item.reason}")


def _show(line: TracedEntry) -> None:
    entry, record = line.entry, line.record
    say(f"{entry.time[:19].replace('T', ' ')}  {entry.outcome}  execution {entry.execution_arn.rpartition(':')[2]}")
    if entry.event_id:
        say(f"    event {entry.event_id}, usage {entry.index}")
    if record:
        at = format_time(record.meter_time_in_millis // 1000)
        say(f"    {record.customer_id} {record.meter_api_name} {format_number(record.meter_value)} at {at}")
