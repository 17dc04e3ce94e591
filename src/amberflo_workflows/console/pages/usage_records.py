"""The page of the records behind a number: a tenant's usage of a meter in a range of time, page by page."""

import math
import time
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from amberflo_workflows.console import views
from amberflo_workflows.console.problems import describe
from amberflo_workflows.console.state import get_console
from amberflo_workflows.console.usage_query import parse_seconds
from amberflo_workflows.core.meter import ADDITIVE_METER_TYPES
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.ledger.explanation import ApiRecords, fetch_records, find_meter
from amberflo_workflows.operate.usage_report import format_number

PAGE_SIZE: Final = 100


class _RecordsQuery(NamedTuple):
    """The URL's parameters; ``shown`` and ``total`` are of the pages before ``token``."""

    meter: str
    tenant: str
    start: int
    end: int
    token: str
    shown: int
    total: float

    @classmethod
    def parse(cls, request: Request) -> "_RecordsQuery":
        """Parse the parameters. Raises :class:`OperatorError`."""
        params, now = request.query_params, int(time.time())
        meter, tenant = (params.get(name, "").strip() for name in ("meter", "tenant"))
        if not meter or not tenant:
            raise OperatorError("A meter and a tenant are required.")
        start, end = (parse_seconds(name, params.get(name.lower(), ""), now) for name in ("From", "To"))
        if start >= end:
            raise OperatorError("The start of the time range must be before its end.")
        try:
            shown, total = int(params.get("shown", 0)), float(params.get("total", 0))
        except ValueError:
            shown, total = 0, math.nan
        if not math.isfinite(total):
            raise OperatorError("The numbers of the records that are shown are not valid.")
        return cls(meter, tenant, start, end, params.get("token", ""), shown, total)

    def build_part_url(self) -> str:
        """Return the URL of the rows after the token."""
        names = {"meter": self.meter, "tenant": self.tenant, "from": self.start, "to": self.end}
        return (
            f"/usage/records/rows?{urlencode({**names, 'token': self.token, 'shown': self.shown, 'total': self.total})}"
        )


def show(request: Request) -> Response:
    """Serve the page without its rows, which may take some seconds."""
    query = _RecordsQuery.parse(request)
    fields = {"meter": query.meter, "tenant": query.tenant, "group": "customerId", "interval": "hour"}
    usage = urlencode({**fields, "range": "between", "from": query.start, "to": query.end})
    return views.render_page(request, "usage_records.html", records=query, usage_url=f"/usage?{usage}")


def show_rows(request: Request) -> Response:
    """Serve the rows of a page of records, and the button for the next page; or the reason why there are none."""
    query = _RecordsQuery.parse(request)
    values: dict[str, Any] = {"items": [], "problem": "", "next": query, "has_sum": False, "is_at_amberflo": True}
    try:
        api = get_console(request).api
        meter = find_meter(get_console(request).get_meter, query.meter)
        time_range = (query.start, query.end)
        page = fetch_records(api, meter, query.tenant, time_range, next_token=query.token or None, limit=PAGE_SIZE)
        values |= {"items": page.data, "next": _advance(query, page)}
        values["is_at_amberflo"] = "meterType" in meter
        values["has_sum"] = meter.get("meterType") in ADDITIVE_METER_TYPES
    except OperatorError as error:
        values["problem"] = describe(error)
    formats = {"format_number": format_number, "format_millis": _format_millis, "parse_name": _parse_name}
    return HTMLResponse(views.render(request, "usage_records_rows.html", **values, **formats))


def _advance(query: _RecordsQuery, page: ApiRecords) -> _RecordsQuery:
    shown, total = query.shown + len(page.data), query.total + page.total
    return query._replace(token=page.next_token or "", shown=shown, total=total)


def _format_millis(millis: int) -> str:
    """Format epoch milliseconds as UTC."""
    return f"{datetime.fromtimestamp(millis // 1000, UTC):%Y-%m-%d %H:%M:%S}.{millis % 1000:03}"


def _parse_name(arn: str) -> str:
    """Return the name in the ARN of an execution, of either kind."""
    return (arn.split(":") + [""] * 8)[7] or arn


ROUTES: Final = (Route("/usage/records", show), Route("/usage/records/rows", show_rows))
