"""``metering usage list``: the totals of all meters, through the HTTP API."""

import json
from typing import Annotated

import typer

from amberflo_workflows.cli.context import get_api_client, reported_errors
from amberflo_workflows.cli.csv_output import Csv, print_csv, reject_two_formats
from amberflo_workflows.cli.options import Json, RangeEnd, RangeLength, RangeStart, parse_range, reject_empty
from amberflo_workflows.cli.output import say, show_status, show_table
from amberflo_workflows.operate.usage_report import choose_interval, fetch_all_usage, format_number, format_time

_COLUMNS = {"meter": "meterApiName", "label": "label", "unit": "unit"}


def list_(
    context: typer.Context,
    *,
    start: RangeStart = None,
    end: RangeEnd = None,
    last: RangeLength = None,
    tenant: Annotated[
        str | None, typer.Option("--tenant", callback=reject_empty, help="Only the usage of this tenant.")
    ] = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Show the total of each meter."""
    reject_two_formats(as_json, as_csv)
    time_range = parse_range(start, end, last)
    interval = choose_interval(time_range[1] - time_range[0])
    query = {} if tenant is None else {"tenantId": tenant}
    with reported_errors(), show_status("Fetching the usage"):
        client = get_api_client(context)
        usages = fetch_all_usage(client, list(client.list_meters()), time_range, interval, query)
    if as_json:
        print(json.dumps([usage.to_json() for usage in usages], indent=2))
    elif as_csv:
        print_csv(
            ("meterApiName", "total"),
            ({"meterApiName": usage.meter["meterApiName"], "total": usage.total} for usage in usages),
        )
    elif usages:
        say(
            f"From {format_time(time_range[0])} to {format_time(time_range[1])} UTC, in full {interval.lower()}s of UTC"
        )
        rows = [
            [*(usage.meter.get(member) or "" for member in _COLUMNS.values()), format_number(usage.total)]
            for usage in usages
        ]
        show_table([*_COLUMNS, "usage"], rows, numbers=("usage",))
    else:
        say("There are no meters. Create one with: metering meters create LABEL --name NAME --type TYPE")
