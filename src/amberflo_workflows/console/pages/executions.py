"""The list of executions: filtered, live at its top, older ones page by page."""

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
    """The page."""
    found = _found(request)
    workflows = [machine.workflow for machine in get_console(request).executions.machines.all]
    return views.page(
        request, "executions.html", found=found, workflows=workflows, older_query=_older_query(request, found)
    )


def older(request: Request) -> Response:
    """The rows after those of a page, and the button for the next ones."""
    found = _found(request)
    values = {"found": found, "older_query": _older_query(request, found)}
    return HTMLResponse(views.draw(request, "executions_older.html", **values))


def follow(request: Request) -> Response:
    """The newest rows whenever they change."""
    return live.stream(request, lambda: (views.draw(request, "executions_rows.html", found=_found(request)), False))


def _found(request: Request) -> Page:
    return get_console(request).executions.page(_query(request))


def _query(request: Request) -> Query:
    given = request.query_params
    status, span = given.get("status"), given.get("since")
    if status and status not in set(Status):
        raise OperatorError(f"There is no outcome '{status}'.")
    if span and span not in _SPANS:
        raise OperatorError(f"'{span}' is no span; there are {', '.join(_SPANS)}.")
    return Query(
        workflow=given.get("workflow") or None,
        status=Status(status) if status else None,
        since=datetime.now(UTC) - _SPANS[span] if span else None,
        text=given.get("text", ""),
        before=given.get("before", ""),
        limit=PAGE_SIZE,
    )


def _older_query(request: Request, found: Page) -> str:
    return urlencode({**request.query_params, "before": found.next})


ROUTES: Final = (
    Route("/executions", show),
    Route("/executions/older", older),
    Route("/live/executions", follow),
)
