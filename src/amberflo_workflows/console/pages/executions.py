"""The list of executions: filtered, updated while it is open, with older executions on demand."""

from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from amberflo_workflows.console import live, views
from amberflo_workflows.console.state import get_console
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.executions.model import Status
from amberflo_workflows.operate.executions.reader import Page, Query

PAGE_SIZE: Final = 50
_SPANS: Final = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "1d": timedelta(days=1),
    "7d": timedelta(days=7),
}


def show(request: Request) -> Response:
    page = _load_page(request)
    workflows = [machine.workflow for machine in get_console(request).executions.machines.all]
    older_query = _build_older_query(request, page)
    return views.render_page(request, "executions.html", page=page, workflows=workflows, older_query=older_query)


def show_older(request: Request) -> Response:
    """Serve the rows after those that are shown, and the button that loads the rows after them."""
    page = _load_page(request)
    values = {"page": page, "older_query": _build_older_query(request, page)}
    return HTMLResponse(views.render(request, "executions_older.html", **values))


def follow(request: Request) -> Response:
    """Stream the newest rows whenever they change."""
    return live.stream(
        request, lambda: (views.render(request, "executions_rows.html", page=_load_page(request)), False)
    )


def _load_page(request: Request) -> Page:
    return get_console(request).executions.list_page(_parse_query(request))


def _parse_query(request: Request) -> Query:
    params = request.query_params
    status, span = params.get("status"), params.get("since")
    if status and status not in set(Status):
        raise OperatorError(f"Unknown status '{status}'. Valid statuses: {', '.join(Status)}.")
    if span and span not in _SPANS:
        raise OperatorError(f"Unknown time span '{span}'. Valid time spans: {', '.join(_SPANS)}.")
    return Query(
        workflow=params.get("workflow") or None,
        status=Status(status) if status else None,
        since=datetime.now(UTC) - _SPANS[span] if span else None,
        text=params.get("text", ""),
        from_console="console" in params,
        page_token=params.get("before", ""),
        limit=PAGE_SIZE,
    )


def _build_older_query(request: Request, page: Page) -> str:
    return urlencode({**request.query_params, "before": page.next_token})


ROUTES: Final = (
    Route("/executions", show),
    Route("/executions/older", show_older),
    Route("/live/executions", follow),
)
