"""The page of usage: a meter's usage as a chart and a table."""

import time
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from amberflo_workflows.console import chart, views
from amberflo_workflows.console.files import send_csv, send_json
from amberflo_workflows.console.problems import describe
from amberflo_workflows.console.record_links import RecordLinks
from amberflo_workflows.console.state import get_console
from amberflo_workflows.console.usage_comparison import build_comparison, find_period_before
from amberflo_workflows.console.usage_query import CUSTOM_RANGE, INTERVALS, RANGES, UsageQuery, format_field
from amberflo_workflows.console.usage_series import UsageTable, build_table
from amberflo_workflows.operate.api_client import ApiError
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.usage_report import MeterUsage, fetch_usage, format_number, format_time

MAX_GROUPS: Final = 500
# More make the page long, and are in the files.
MAX_ROWS: Final = 200


def show(request: Request) -> Response:
    """Serve the page. Its URL has all options, so that it can be shared."""
    query = UsageQuery.parse(request.query_params)
    known, status = get_console(request).meters, 200
    values: dict[str, Any] = {"meters": [], "meter": None, "usage": None, "problem": ""}
    try:
        values["meter"] = known.find(query.meter) if query.meter else None
        values["meters"] = known.list()
        # Without a meter, nobody has asked for usage yet.
        if query.meter:
            values |= _load_usage(request, query)
    except OperatorError as error:
        status = error.status if isinstance(error, ApiError) else 400
        values["problem"] = describe(error)
    return views.render_page(request, "usage.html", status, **values, **_build_form(query))


def show_dimensions(request: Request) -> Response:
    """Serve the part of the form that depends on the meter."""
    query = UsageQuery.parse(request.query_params)
    meter = get_console(request).meters.find(query.meter) if query.meter else None
    return HTMLResponse(views.render(request, "usage_dimensions.html", options=query, meter=meter))


def _load_usage(request: Request, query: UsageQuery) -> dict[str, Any]:
    """Fetch a meter's usage from the API. Raises :class:`OperatorError`."""
    api = get_console(request).api
    meter = get_console(request).get_meter(query.meter)
    now = int(time.time())
    start, end = query.resolve_range(now)
    interval = query.resolve_interval(start, end)
    usage = fetch_usage(api, meter, (start, end), interval.upper(), query.api_parameters())
    table, comparison = build_table(usage, now), None
    if query.compares and table.starts:
        period = find_period_before(table, interval)
        comparison = build_comparison(fetch_usage(api, meter, period, interval.upper(), query.api_parameters()))
    usage_chart = None if table.is_empty else chart.build_chart(table)
    groups = sorted(usage.groups, key=lambda group: abs(group.total), reverse=True)
    return {"meter": meter, "usage": usage, "interval": interval, "table": table, "chart": usage_chart} | {
        "groups": groups[:MAX_GROUPS],
        "more_groups": len(groups[MAX_GROUPS:]),
        "title": _build_title(usage, table),
        "comparison": comparison,
        "rows": table.rows[-MAX_ROWS:],
        "earlier_rows": len(table.rows[:-MAX_ROWS]),
        "record_links": RecordLinks(query, meter["meterApiName"], interval, table),
    }


def export(request: Request) -> Response:
    """Send the usage of a query as a file. Raises :class:`OperatorError`."""
    query, console = UsageQuery.parse(request.query_params), get_console(request)
    if not query.meter:
        raise OperatorError("Choose a meter, in the parameter meter.")
    meter = console.get_meter(query.meter)
    start, end = query.resolve_range(int(time.time()))
    interval = query.resolve_interval(start, end)
    usage = fetch_usage(console.api, meter, (start, end), interval.upper(), query.api_parameters())
    if request.url.path.endswith(".csv"):
        return send_csv("usage", usage.columns, usage.iterate_rows())
    return send_json("usage", usage.iterate_rows())


def _build_form(query: UsageQuery) -> dict[str, Any]:
    now = int(time.time())
    ranges = {**RANGES, CUSTOM_RANGE: "Custom"}
    if query.range not in ranges:
        ranges[query.range] = f"Last {query.range}"
    try:
        start, end = query.resolve_range(now)
    except OperatorError:
        start, end = now - INTERVALS["week"], now
    return {
        "options": query,
        "intervals": list(INTERVALS),
        "ranges": ranges,
        "since": format_field(start),
        "until": format_field(end),
        "hour_ago": format_field(now - INTERVALS["hour"]),
        "now": format_field(now),
        "height": chart.HEIGHT,
        "top": chart.TOP,
        "format_number": format_number,
        "format_time": format_time,
    }


def _build_title(usage: MeterUsage, table: UsageTable) -> str:
    """The chart's title for screen readers."""
    total = "" if table.total is None else f", total {format_number(table.total)}"
    name, unit = usage.meter["meterApiName"], usage.interval.lower()
    return f"Usage of {name} by {unit}, {format_time(usage.start)} to {format_time(usage.end)} UTC{total}"


ROUTES: Final = (
    Route("/usage", show),
    Route("/usage/dimensions", show_dimensions),
    Route("/usage/export.csv", export),
    Route("/usage/export.json", export),
)
