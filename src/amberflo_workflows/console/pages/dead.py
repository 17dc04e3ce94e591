"""Events in the dead-letter queues: looked at, sent again, given up."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from amberflo_workflows.console import views
from amberflo_workflows.console.counts import counts
from amberflo_workflows.console.forms import FormResult, attempt, takes_form, text, texts
from amberflo_workflows.console.rejected_rows import action_of
from amberflo_workflows.console.state import get_console
from amberflo_workflows.console.usage_fields import pretty
from amberflo_workflows.core.json_text import parse_json
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.rejected.dead_letters import DeadEvent, DeadLetters

SHOWN: Final = 100
# Looking hides events from whoever else looks, another page of this console too.
_LOOKING: Final = threading.Lock()


def show(request: Request) -> Response:
    """The page; its list comes after it, since looking takes seconds."""
    return views.page(request, "dead.html", counts=counts(get_console(request)))


def listed(request: Request) -> Response:
    """The events."""
    tenant = request.query_params.get("tenant", "")
    with _looked_at(request) as (_, found):
        events = [event for event in found if not tenant or tenant in event.tenants]
    values = {"events": events[:SHOWN], "left": len(events[SHOWN:]), "sent_at": _sent_at}
    return HTMLResponse(views.draw(request, "dead_list.html", **values))


def one(request: Request) -> Response:
    """The page of one event."""
    wanted = request.path_params["id"]
    with _looked_at(request) as (_, found):
        event = next((event for event in found if event.id == wanted), None)
    if event is None:
        raise OperatorError(f"There is no dead event {wanted} now: it was dealt with, or somebody else looks at it.")
    whole = parse_json(event.text)
    original = event.text if isinstance(whole, str) else pretty(whole)
    values: dict[str, Any] = {
        "event": event,
        "original": original,
        "sent_at": _sent_at,
        "counts": counts(get_console(request)),
    }
    return views.page(request, "dead_event.html", **values)


def confirm(request: Request) -> Response:
    """The question that is asked before events are sent or dropped."""
    given = request.query_params
    values = {"action": action_of(given.get("do", "")), "ids": given.getlist("item")}
    return HTMLResponse(views.draw(request, "dead_confirm.html", **values))


def act(request: Request, form: FormData) -> Response:
    """Send or drop events, and tell what became of them."""
    action, ids = action_of(text(form, "do")), set(texts(form, "item"))

    def done() -> FormResult:
        with _looked_at(request) as (letters, found):
            events = [event for event in found if event.id in ids]
            for event in events:
                if action == "redrive":
                    letters.redrive(event)
                else:
                    letters.drop(event, text(form, "why"))
        missing = sorted(ids - {event.id for event in events})
        what = "on their way again" if action == "redrive" else "dropped"
        details = [f"{wanted} was not there: dealt with already, or somebody else looks at it" for wanted in missing]
        return FormResult(f"{len(events)} events {what}.", details=details)

    values = {"outcome": attempt(done), "counts": counts(get_console(request))}
    return HTMLResponse(views.draw(request, "dead_done.html", **values), headers={"HX-Trigger": "looked"})


@contextmanager
def _looked_at(request: Request) -> Iterator[tuple[DeadLetters, list[DeadEvent]]]:
    letters = DeadLetters(get_console(request).deployment)
    with _LOOKING, letters.looked_at() as found:
        yield letters, found


def _sent_at(event: DeadEvent) -> datetime:
    return datetime.fromtimestamp(event.sent_in_millis / 1000, UTC)


ROUTES: Final = (
    Route("/rejected/dead", show),
    Route("/rejected/dead/list", listed),
    Route("/rejected/dead/confirm", confirm),
    Route("/rejected/dead/act", takes_form(act), methods=["POST"]),
    Route("/rejected/dead/{id}", one),
)
