"""Usage: how much was used, as bars and as a table."""

import time
from collections.abc import Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from amberflo_workflows.console import chart, views
from amberflo_workflows.console.state import get_console
from amberflo_workflows.console.usage_query import BETWEEN, INTERVALS, RANGES, UsageQuery, field_of
from amberflo_workflows.console.usage_series import Table, build_table
from amberflo_workflows.operate.api_client import ApiError
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.usage_report import MeterUsage, fetch_usage, format_number, format_time

SHOWN_GROUPS: Final = 500


def show(request: Request) -> Response:
    """The page. Its address tells all that was chosen."""
    asked = UsageQuery.of(request.query_params)
    meters = list(get_console(request).api.meters())
    values: dict[str, Any] = {"meters": meters, "meter": None, "usage": None, "problem": ""}
    status = 200
    try:
        if meters or asked.meter:
            values |= _found(request, asked, meters)
    except OperatorError as error:
        status = error.status if isinstance(error, ApiError) else 400
        values |= {"problem": str(error), "meter": _among(meters, asked.meter)}
    return views.page(request, "usage.html", status, **values, **_form(asked))


def dimensions(request: Request) -> Response:
    """The part of the form that depends on the meter."""
    asked = UsageQuery.of(request.query_params)
    meter = _among(list(get_console(request).api.meters()), asked.meter)
    return HTMLResponse(views.draw(request, "usage_dimensions.html", asked=asked, meter=meter))


def _found(request: Request, asked: UsageQuery, meters: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the API tells. Raises :class:`OperatorError`."""
    api = get_console(request).api
    meter = _among(meters, asked.meter) or api.meter(asked.meter)
    between = asked.between(int(time.time()))
    interval = asked.chosen_interval(between)
    usage = fetch_usage(api, meter, between, interval.upper(), asked.parameters())
    table = build_table(usage)
    drawn = None if table.is_empty else chart.build_chart(table)
    groups = sorted(usage.groups, key=lambda group: abs(group.total), reverse=True)
    return {"meter": meter, "usage": usage, "interval": interval, "table": table, "chart": drawn} | {
        "groups": groups[:SHOWN_GROUPS],
        "more_groups": len(groups[SHOWN_GROUPS:]),
        "title": _title(usage, table),
    }


def _form(asked: UsageQuery) -> dict[str, Any]:
    now = int(time.time())
    ranges = {**RANGES, BETWEEN: "from, to"}
    if asked.range not in ranges:
        ranges[asked.range] = f"last {asked.range}"
    try:
        start, end = asked.between(now)
    except OperatorError:
        start, end = now - INTERVALS["week"], now
    return {
        "asked": asked,
        "intervals": list(INTERVALS),
        "ranges": ranges,
        "between": BETWEEN,
        "since": field_of(start),
        "until": field_of(end),
        "hour_ago": field_of(now - INTERVALS["hour"]),
        "now": field_of(now),
        "height": chart.HEIGHT,
        "top": chart.TOP,
        "number": format_number,
        "moment_name": format_time,
    }


def _title(usage: MeterUsage, table: Table) -> str:
    """What a reader who does not see the chart is told of it."""
    total = "" if table.total is None else f"; in all {format_number(table.total)}"
    name, unit = usage.meter["meterApiName"], usage.interval.lower()
    return f"Usage of {name} by {unit}, {format_time(usage.start)} to {format_time(usage.end)} UTC{total}"


def _among(meters: Sequence[dict[str, Any]], given: str) -> dict[str, Any] | None:
    """The meter with a name or an id; the first one if none is given."""
    for member in ("meterApiName", "id"):
        for meter in meters:
            if not given or meter.get(member) == given:
                return meter
    return None


ROUTES: Final = (Route("/usage", show), Route("/usage/dimensions", dimensions))
