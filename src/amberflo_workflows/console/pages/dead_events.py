"""The pages of dead events: list, show, redrive and drop the events in the dead-letter queues."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from amberflo_workflows.console import views
from amberflo_workflows.console.counts import fetch_counts
from amberflo_workflows.console.forms import FormResult, form_handler, form_text, form_values, run_action
from amberflo_workflows.console.problems import describe
from amberflo_workflows.console.rejected_rows import parse_action
from amberflo_workflows.console.state import get_console
from amberflo_workflows.console.usage_fields import format_json
from amberflo_workflows.core.json_text import parse_json
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.rejected.dead_causes import find_failed_attempts
from amberflo_workflows.operate.rejected.dead_letters import DeadEvent, DeadLetters

MAX_EVENTS: Final = 100
# Receiving messages hides them from all other receivers, also from other pages of this console.
_RECEIVE_LOCK: Final = threading.Lock()


def show(request: Request) -> Response:
    """Serve the page. Its list is loaded afterwards, since receiving all messages takes seconds."""
    return views.render_page(request, "dead_events.html", counts=fetch_counts(get_console(request)))


def show_list(request: Request) -> Response:
    tenant = request.query_params.get("tenant", "")
    with _receive_events(request) as (_, received):
        events = [event for event in received if not tenant or tenant in event.tenants]
    values = {"events": events[:MAX_EVENTS], "hidden": len(events[MAX_EVENTS:]), "sent_at": _sent_at}
    return HTMLResponse(views.render(request, "dead_events_list.html", **values))


def show_event(request: Request) -> Response:
    event_id = request.path_params["id"]
    with _receive_events(request) as (letters, received):
        event = next((event for event in received if event.id == event_id), None)
    if event is None:
        raise OperatorError(
            f"Dead event {event_id} not found. It was redriven or dropped, or someone else is viewing it."
        )
    content = parse_json(event.text)
    original = event.text if isinstance(content, str) else format_json(content)
    values: dict[str, Any] = {
        "event": event,
        "original": original,
        "sent_at": _sent_at,
        "counts": fetch_counts(get_console(request)),
        **_explain(letters, event),
    }
    return views.render_page(request, "dead_event.html", **values)


def _explain(letters: DeadLetters, event: DeadEvent) -> dict[str, Any]:
    """Return the failed attempts for the template, or why they could not be read, which must not hide the event."""
    try:
        return {"attempts": find_failed_attempts(letters.deployment, event), "problem": ""}
    except (OperatorError, BotoCoreError, ClientError) as error:
        return {"attempts": [], "problem": describe(error)}


def confirm(request: Request) -> Response:
    """Serve the dialog that asks before events are redriven or dropped."""
    params = request.query_params
    values = {"action": parse_action(params.get("do", "")), "ids": params.getlist("item")}
    return HTMLResponse(views.render(request, "dead_events_confirm.html", **values))


def act(request: Request, form: FormData) -> Response:
    """Redrive or drop events, and show the result."""
    action, ids = parse_action(form_text(form, "do")), set(form_values(form, "item"))

    def run() -> FormResult:
        with _receive_events(request) as (letters, received):
            events = [event for event in received if event.id in ids]
            for event in events:
                if action == "redrive":
                    letters.redrive(event)
                else:
                    letters.drop(event, form_text(form, "why"))
        missing = sorted(ids - {event.id for event in events})
        verb = "redriven" if action == "redrive" else "dropped"
        details = [
            f"{event_id} was not found. It was already redriven or dropped, or someone else is viewing it."
            for event_id in missing
        ]
        return FormResult(f"{views.format_count(len(events), 'event')} {verb}.", details=details)

    values = {"result": run_action(run), "counts": fetch_counts(get_console(request))}
    html = views.render(request, "dead_events_result.html", **values)
    return HTMLResponse(html, headers={"HX-Trigger": "deadEventsChanged"})


@contextmanager
def _receive_events(request: Request) -> Iterator[tuple[DeadLetters, list[DeadEvent]]]:
    letters = DeadLetters(get_console(request).deployment)
    with _RECEIVE_LOCK, letters.receive() as events:
        yield letters, events


def _sent_at(event: DeadEvent) -> datetime:
    return datetime.fromtimestamp(event.sent_in_millis / 1000, UTC)


ROUTES: Final = (
    Route("/rejected/dead", show),
    Route("/rejected/dead/list", show_list),
    Route("/rejected/dead/confirm", confirm),
    Route("/rejected/dead/act", form_handler(act), methods=["POST"]),
    Route("/rejected/dead/{id}", show_event),
)
