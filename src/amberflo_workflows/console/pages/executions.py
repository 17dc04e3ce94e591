"""The list of executions: filtered, updated while it is open, with older executions on demand."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from amberflo_workflows.console import live, views
from amberflo_workflows.console.execution_query import PAGE_SIZE, RESPONSES, SPANS, STATUSES, ExecutionFilter
from amberflo_workflows.console.files import send_csv, send_json
from amberflo_workflows.console.problems import describe
from amberflo_workflows.console.state import get_console
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.executions.executions import Executions
from amberflo_workflows.operate.executions.export import SUMMARY_COLUMNS, build_summary_row
from amberflo_workflows.operate.executions.model import ExecutionSummary
from amberflo_workflows.operate.executions.reader import Page, Query

_EXPORT_PAGE_SIZE: Final = 500


def show(request: Request) -> Response:
    """Serve the page. If htmx requests it for another filter, an invalid filter is shown in place of the rows."""
    filters = ExecutionFilter.parse(request.query_params)
    problem = ""
    try:
        page = _load_page(request, filters)
    except OperatorError as error:
        if "hx-request" not in request.headers:
            raise
        page, problem = Page((), ""), describe(error)
    values: dict[str, Any] = {
        "workflows": [machine.workflow for machine in get_console(request).executions.machines.all],
        "spans": SPANS,
        "responses": RESPONSES,
        "statuses": STATUSES,
        "problem": problem,
    }
    response = views.render_page(request, "executions.html", **_build_values(page, filters), **values)
    # The address without the fields that are empty.
    response.headers["HX-Push-Url"] = f"/executions?{filters.address}" if filters.address else "/executions"
    return response


def show_older(request: Request) -> Response:
    """Serve the rows after those that are shown, and the button that loads the rows after them."""
    filters = ExecutionFilter.parse(request.query_params)
    page = _load_page(request, filters, request.query_params.get("before", ""))
    return HTMLResponse(views.render(request, "executions_older.html", **_build_values(page, filters)))


def follow(request: Request) -> Response:
    """Stream the newest rows whenever they change."""
    filters = ExecutionFilter.parse(request.query_params)

    def render() -> tuple[str, bool]:
        page = _load_page(request, filters)
        return views.render(request, "executions_rows.html", **_build_values(page, filters)), False

    return live.stream(request, render)


def export(request: Request) -> Response:
    """Send all executions that match the filters, page by page, so that the first ones arrive at once."""
    query = replace(ExecutionFilter.parse(request.query_params).build_query(), limit=_EXPORT_PAGE_SIZE)
    executions = get_console(request).executions
    # An invalid filter is an error of the response, not a file that ends early.
    first = executions.list_page(query)
    rows = (build_summary_row(summary) for summary in _list_all(executions, query, first))
    if request.url.path.endswith(".csv"):
        return send_csv("executions", SUMMARY_COLUMNS, rows)
    return send_json("executions", rows)


def _load_page(request: Request, filters: ExecutionFilter, page_token: str = "") -> Page:
    return get_console(request).executions.list_page(filters.build_query(page_token))


def _build_values(page: Page, filters: ExecutionFilter) -> dict[str, Any]:
    """The values of the rows. A page that is not full ends where the search has reached."""
    return {"page": page, "filters": filters, "reached": page.reached if len(page.summaries) < PAGE_SIZE else None}


def _list_all(executions: Executions, query: Query, page: Page) -> Iterator[ExecutionSummary]:
    yield from page.summaries
    while page.next_token:
        page = executions.list_page(replace(query, page_token=page.next_token))
        yield from page.summaries


ROUTES: Final = (
    Route("/executions", show),
    Route("/executions/older", show_older),
    Route("/executions/export.csv", export),
    Route("/executions/export.json", export),
    Route("/live/executions", follow),
)
