"""``metering usage``: fetch, chart and cancel usage through the HTTP API, and explain it from the ledger."""

import json
from collections.abc import Callable
from typing import Annotated, Literal

import typer

from amberflo_workflows.cli.context import get_api_client, reported_errors
from amberflo_workflows.cli.csv_output import Csv, print_csv, reject_two_formats
from amberflo_workflows.cli.options import (
    Json,
    Meter,
    RangeEnd,
    RangeLength,
    RangeStart,
    parse_range,
    reject_empty,
)
from amberflo_workflows.cli.output import fail, show_status
from amberflo_workflows.cli.usage_cancel import cancel
from amberflo_workflows.cli.usage_explain import explain
from amberflo_workflows.cli.usage_list import list_
from amberflo_workflows.cli.usage_rules import restore, rules
from amberflo_workflows.cli.usage_views import show_as_bars, show_as_table
from amberflo_workflows.operate import usage_report
from amberflo_workflows.operate.api_client import Query
from amberflo_workflows.operate.usage_report import MeterUsage

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Fetch, chart, explain, cancel and restore usage.")


def _build_command(show: Callable[[MeterUsage], None]) -> Callable[..., None]:
    """Build a command that fetches a meter's usage and prints it with ``show``, or as JSON."""

    def command(
        context: typer.Context,
        *,
        meter: Meter,
        start: RangeStart = None,
        end: RangeEnd = None,
        last: RangeLength = None,
        interval: Annotated[
            Literal["hour", "day", "week", "month"], typer.Option(help="Time grouping interval, in UTC.")
        ] = "day",
        group_by: Annotated[
            list[str] | None, typer.Option(help="customerId or a dimension; can be repeated, or several with commas.")
        ] = None,
        filters: Annotated[
            list[str] | None,
            typer.Option("--filter", metavar="KEY=VALUE", help="Only this value of a dimension; can be repeated."),
        ] = None,
        tenants: Annotated[
            list[str] | None,
            typer.Option("--tenant", callback=reject_empty, help="Only this tenant; can be repeated."),
        ] = None,
        take: Annotated[int | None, typer.Option(min=1, help="Only this many groups, the largest first.")] = None,
        as_json: Json = False,
        as_csv: Csv = False,
    ) -> None:
        reject_two_formats(as_json, as_csv)
        query = _build_query(group_by, filters, tenants, take)
        time_range = parse_range(start, end, last)
        with reported_errors(), show_status("Fetching the usage"):
            client = get_api_client(context)
            usage = usage_report.fetch_usage(client, client.get_meter(meter), time_range, interval.upper(), query)
        if as_json:
            print(json.dumps(usage.to_json(), indent=2))
        elif as_csv:
            print_csv(usage.columns, usage.iterate_rows())
        else:
            show(usage)

    return command


app.command("list")(list_)
app.command("fetch", help="Show a meter's usage as a table: non-zero usage by group and interval, and totals.")(
    _build_command(show_as_table)
)
app.command("chart", help="Show a meter's usage as a bar chart: a bar for each interval and group.")(
    _build_command(show_as_bars)
)
app.command()(cancel)
app.command()(explain)
app.command()(rules)
app.command()(restore)


def _build_query(
    group_by: list[str] | None, filters: list[str] | None, tenants: list[str] | None, take: int | None
) -> Query:
    query: dict[str, str | int | list[str]] = dict(_parse_filters(filters or []))
    if group_by:
        query["groupBy"] = ",".join(group_by)
    if tenants:
        query["tenantId"] = tenants
    if take:
        query["take"] = take
    return query


def _parse_filters(filters: list[str]) -> dict[str, list[str]]:
    """Return the values of each key. A comma is part of a value."""
    query: dict[str, list[str]] = {}
    for text in filters:
        key, equals, value = text.partition("=")
        if not (key.strip() and equals and value.strip()):
            raise fail(f"--filter must be KEY=VALUE, not '{text}'; repeat it for more values", 2)
        query.setdefault(f"filter.{key}", []).append(value)
    return query
