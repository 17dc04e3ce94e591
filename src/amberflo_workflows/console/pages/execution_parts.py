"""The parts of an execution's page that are asked for one by one: a state, its log, and what is more than one reads."""

from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from amberflo_workflows.console import views
from amberflo_workflows.console.execution.drawing import outcomes
from amberflo_workflows.console.execution.events import event_rows
from amberflo_workflows.console.execution.paging import Slice, cut
from amberflo_workflows.console.execution.subject import Subject, subject
from amberflo_workflows.console.execution.timeline import TimelineLine, worst_first
from amberflo_workflows.console.execution.usages import usages_of
from amberflo_workflows.console.state import get_console
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.executions.graph import Node
from amberflo_workflows.operate.executions.model import StateRun, all_state_runs

_ROWS: Final = 200
_ITEMS: Final = 50
_PASSAGES: Final = 10
_LINES: Final = 200

Link = Callable[..., str]


def link_of(found: Subject) -> Link:
    """Addresses on the page of an execution or item: a part, and what is asked of it."""

    def link(part: str = "", **query: object) -> str:
        path = f"/executions/{quote(found.arn)}" + (f"/{part}" if part else "")
        given = {"iteration": found.iteration, **query} if found.iteration else query
        return f"{path}?{urlencode(given)}" if given else path

    return link


def first_parts(found: Subject) -> dict[str, Any]:
    """The beginnings of the page's tables."""
    return {"timeline": _timeline(found, 0), "events": _events(found, 0), "usages": _usages(found, 0)}


def panel(request: Request, found: Subject) -> str:
    """A state in full; without one the input and output of the whole."""
    name = request.query_params.get("state")
    if not name:
        return views.draw(request, "execution_whole.html", found=found, execution=found.execution)
    node = _node(found, name)
    states = list(all_state_runs(found.execution.states))
    passages = [one for one in states if one.name == name]
    is_inside = all(one.name != name for one in found.graph.nodes)
    shown = sorted(passages, key=lambda one: not one.status.is_bad) if is_inside else passages
    values = {
        "found": found,
        "node": node,
        "passages": cut(shown, 0, _PASSAGES),
        "is_inside": is_inside,
        "outcome": outcomes(found.graph, found.execution.states)["states"][name],
        "items": _items(passages, 0),
        "link": link_of(found),
    }
    return views.draw(request, "execution_state.html", **values)


def state(request: Request) -> Response:
    """A state."""
    return HTMLResponse(panel(request, subject(request)))


def log(request: Request) -> Response:
    """What the task of a state logged."""
    found = subject(request)
    node = _node(found, request.query_params.get("state", ""))
    passages = [one for one in all_state_runs(found.execution.states) if one.name == node.name]
    lines = get_console(request).executions.log_lines_of(found.execution, node.resource, passages)
    return views.page(request, "execution_log.html", lines=lines[:_LINES], count=len(lines))


def _timeline(found: Subject, start: int, _request: Request | None = None) -> Slice[Any]:
    states = cut(found.execution.states, start, _ROWS)
    rows = TimelineLine.of(found.execution).rows(states.items)
    return Slice(tuple(rows), states.next, states.count)


def _events(found: Subject, start: int, _request: Request | None = None) -> Slice[Any]:
    events = cut(found.execution.events, start, _ROWS)
    return Slice(tuple(event_rows(events.items, found.execution.summary.started)), events.next, events.count)


def _usages(found: Subject, start: int, _request: Request | None = None) -> Slice[Any]:
    return cut(usages_of(found.execution) if not found.iteration else (), start, _ITEMS)


def _items(passages: Sequence[StateRun], start: int) -> Slice[Any]:
    """The items of a Map that was gone through last."""
    run = next((one.map for one in reversed(passages) if one.map), None)
    return cut(worst_first(run.iterations) if run else (), start, _ITEMS)


def _items_asked_for(found: Subject, start: int, request: Request) -> Slice[Any]:
    name = request.query_params.get("state", "")
    return _items([one for one in found.execution.states if one.name == name], start)


def _rows(template: str, name: str, read: Callable[[Subject, int, Request], Slice[Any]]) -> Callable[..., Response]:
    """Serve the rows of a table from a place on, and the button for the next ones."""

    def serve(request: Request) -> Response:
        found = subject(request)
        given = request.query_params.get("from", "")
        if not given.isdecimal():
            raise OperatorError("From where on?")
        values: dict[str, Any] = {name: read(found, int(given), request), "link": link_of(found), "loaded": True}
        state = request.query_params.get("state", "")
        return views.page(request, template, found=found, state=state, **values)

    return serve


def _node(found: Subject, name: str) -> Node:
    node = next((one for one in found.graph.every_node() if one.name == name), None)
    if node is None:
        raise OperatorError(f"There is no state '{name}' in this workflow.")
    return node


_ARN: Final = "/executions/{arn:path}"
ROUTES: Final = (
    Route(f"{_ARN}/state", state),
    Route(f"{_ARN}/log", log),
    Route(f"{_ARN}/events", _rows("execution_events.html", "events", _events)),
    Route(f"{_ARN}/time", _rows("execution_timeline.html", "timeline", _timeline)),
    Route(f"{_ARN}/usages", _rows("execution_usages.html", "usages", _usages)),
    Route(f"{_ARN}/items", _rows("execution_items.html", "items", _items_asked_for)),
)
