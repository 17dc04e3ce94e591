"""``metering usage``: how much was used, by the HTTP API."""

import json
import time
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from amberflo_workflows.cli.cancel import cancel
from amberflo_workflows.cli.shared import Json, fail, get_api_client, reported_errors, show_status, time_option

if TYPE_CHECKING:
    from amberflo_workflows.operate.usage_report import MeterUsage

app = typer.Typer(no_args_is_help=True, help="Usage: fetch it, see it as bars, cancel it.")
app.command()(cancel)

Given = Annotated[str, typer.Argument(metavar="METER", help="Its id or its meterApiName.")]
From = Annotated[str | None, typer.Option("--from", help="Begin: ISO 8601, epoch seconds, or so long ago, like 7d.")]
To = Annotated[str | None, typer.Option("--to", help="End; default: now.")]
Last = Annotated[str | None, typer.Option(help="So long before the end, like 7d; default: 24h.")]
Interval = Annotated[Literal["hour", "day", "week", "month"], typer.Option(help="What to add up by, in UTC.")]
GroupBy = Annotated[list[str] | None, typer.Option(help="customerId or a dimension; several with commas, or repeated.")]
Filters = Annotated[
    list[str] | None, typer.Option("--filter", metavar="KEY=V1,V2", help="Only these values; may be repeated.")
]
Tenant = Annotated[str | None, typer.Option(help="Only this tenant.")]
Take = Annotated[int | None, typer.Option(min=1, help="Only so many groups, the largest first.")]

DEFAULT_LAST: Final = "24h"


@app.command()
def fetch(
    context: typer.Context,
    *,
    meter: Given,
    since: From = None,
    until: To = None,
    last: Last = None,
    interval: Interval = "day",
    group_by: GroupBy = None,
    filters: Filters = None,
    tenant: Tenant = None,
    take: Take = None,
    as_json: Json = False,
) -> None:
    """A meter's usage as a table: what is not zero in each group and interval, and totals."""
    query = _query(group_by, filters, tenant, take)
    found = _fetched(context, meter, _range(since, until, last), interval, query)
    if as_json:
        print(json.dumps(found.facts(), indent=2))
    else:
        from amberflo_workflows.cli.usage_views import show_as_table  # noqa: PLC0415 - imports msgspec

        show_as_table(found)


@app.command()
def chart(
    context: typer.Context,
    *,
    meter: Given,
    since: From = None,
    until: To = None,
    last: Last = None,
    interval: Interval = "day",
    group_by: GroupBy = None,
    filters: Filters = None,
    tenant: Tenant = None,
    take: Take = None,
    as_json: Json = False,
) -> None:
    """A meter's usage as bars: one for each interval and group."""
    query = _query(group_by, filters, tenant, take)
    found = _fetched(context, meter, _range(since, until, last), interval, query)
    if as_json:
        print(json.dumps(found.facts(), indent=2))
    else:
        from amberflo_workflows.cli.usage_views import show_as_bars  # noqa: PLC0415 - imports msgspec

        show_as_bars(found)


def _fetched(
    context: typer.Context, meter: str, between: tuple[int, int], interval: str, query: dict[str, str | int]
) -> "MeterUsage":
    from amberflo_workflows.operate import usage_report  # noqa: PLC0415 - imports msgspec

    with reported_errors(), show_status("Asking for the usage"):
        client = get_api_client(context)
        return usage_report.fetch_usage(client, client.meter(meter), between, interval.upper(), query)


def _range(since: str | None, until: str | None, last: str | None) -> tuple[int, int]:
    """Epoch seconds of the begin and the end."""
    from amberflo_workflows.operate.times import InvalidTime, parse_duration  # noqa: PLC0415 - few commands need it

    if since and last:
        raise fail("--from and --last both tell the begin; give one of them", 2)
    now = int(time.time())
    end = time_option("--to", until, now) if until else now
    if since:
        return time_option("--from", since, now), end
    try:
        return end - parse_duration(last or DEFAULT_LAST), end
    except InvalidTime as error:
        raise fail(f"--last: {error}", 2) from None


def _query(
    group_by: list[str] | None, filters: list[str] | None, tenant: str | None, take: int | None
) -> dict[str, str | int]:
    query: dict[str, str | int] = {}
    if group_by:
        query["groupBy"] = ",".join(group_by)
    for given in filters or []:
        key, equals, values = given.partition("=")
        if not (key and equals and values):
            raise fail(f"--filter takes KEY=V1,V2, not '{given}'", 2)
        if f"filter.{key}" in query:
            raise fail(f"--filter {key} is there twice; give all its values in one: {key}=V1,V2", 2)
        query[f"filter.{key}"] = values
    if tenant:
        query["tenantId"] = tenant
    if take:
        query["take"] = take
    return query
