"""The event history of an execution: filtered and sorted on request, event by event, and as a file."""

import json
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from amberflo_workflows.console import views
from amberflo_workflows.console.execution.events import EventFilter, build_event_rows, format_details
from amberflo_workflows.console.execution.links import build_link
from amberflo_workflows.console.execution.paging import Slice, parse_start, take_slice
from amberflo_workflows.console.execution.view import ExecutionView, load_view
from amberflo_workflows.console.files import send_csv
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.executions.export import EVENT_COLUMNS, build_event_row, flatten_event_row

_MAX_ROWS: Final = 200


def build_events(view: ExecutionView, start: int = 0, events_filter: EventFilter | None = None) -> Slice[Any]:
    """Build the rows from ``start`` of the events that match a filter."""
    matching = events_filter.apply(view.execution.events) if events_filter else view.execution.events
    events = take_slice(matching, start, _MAX_ROWS)
    return Slice(tuple(build_event_rows(events.items, view.execution.summary.started)), events.next, events.count)


def show_events(request: Request) -> Response:
    """Serve the first or the next rows for a filter."""
    view, events_filter = load_view(request), EventFilter.parse(request.query_params)
    events = build_events(view, parse_start(request.query_params), events_filter)
    values: dict[str, Any] = {"events": events, "parameters": events_filter.parameters, "loaded": True}
    return views.render_page(request, "execution_events.html", view=view, link=build_link(view), **values)


def show_event(request: Request) -> Response:
    """Serve all details of one event."""
    view, event_id = load_view(request), request.query_params.get("id", "")
    event = next((event for event in view.execution.events if str(event.id) == event_id), None)
    if event is None:
        raise OperatorError(f"This execution has no event {event_id}.")
    return views.render_page(request, "execution_event.html", event_id=event.id, details=format_details(event))


def export_json(request: Request) -> Response:
    """Serve the history as JSON, which the browser shows."""
    rows = [build_event_row(event) for event in load_view(request).execution.events]
    return Response(json.dumps(rows, indent=2, ensure_ascii=False), media_type="application/json")


def export_csv(request: Request) -> Response:
    """Serve the history as a file for spreadsheets."""
    view = load_view(request)
    rows = (flatten_event_row(build_event_row(event)) for event in view.execution.events)
    return send_csv(view.execution.summary.name, EVENT_COLUMNS, rows)


_ARN: Final = "/executions/{arn:path}"
ROUTES: Final = (
    Route(f"{_ARN}/events", show_events),
    Route(f"{_ARN}/event", show_event),
    Route(f"{_ARN}/history.json", export_json),
    Route(f"{_ARN}/history.csv", export_csv),
)
