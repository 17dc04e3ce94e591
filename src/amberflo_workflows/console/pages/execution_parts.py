"""The parts of an execution's page that are loaded on demand: a state, its logs, and further table rows."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from amberflo_workflows.console import views
from amberflo_workflows.console.execution.definition import format_definition, highlight
from amberflo_workflows.console.execution.graph_data import build_outcomes
from amberflo_workflows.console.execution.links import build_link
from amberflo_workflows.console.execution.paging import Slice, parse_start, take_slice
from amberflo_workflows.console.execution.timeline import Timeline, failed_first
from amberflo_workflows.console.execution.usages import build_usage_rows
from amberflo_workflows.console.execution.view import ExecutionView, load_view
from amberflo_workflows.console.pages.execution_history import build_events
from amberflo_workflows.console.state import get_console
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.executions.graph import Node
from amberflo_workflows.operate.executions.model import StateRun, iterate_state_runs
from amberflo_workflows.operate.executions.payload import Payload, build_payloads

_MAX_ROWS: Final = 200
_MAX_ITEMS: Final = 50
_MAX_RUNS: Final = 10
_MAX_LOG_LINES: Final = 200


def build_first_parts(view: ExecutionView) -> dict[str, Any]:
    """Build the first rows of the page's tables."""
    return {"timeline": _timeline(view, 0), "events": build_events(view), "usages": _usages(view, 0)}


def render_panel(request: Request, view: ExecutionView) -> str:
    """Render the selected state, or the input and output of the execution if no state is selected."""
    name = request.query_params.get("state")
    if not name:
        return views.render(request, "execution_input_output.html", view=view, execution=view.execution)
    node = _find_node(view, name)
    runs = [run for run in iterate_state_runs(view.execution.states) if run.name == name]
    is_inside = all(outer.name != name for outer in view.graph.nodes)
    ordered = sorted(runs, key=lambda run: not run.status.is_failure) if is_inside else runs
    values = {
        "view": view,
        "node": node,
        "runs": take_slice(ordered, 0, _MAX_RUNS),
        "payloads": {} if view.iteration else _build_payloads(view, node, ordered[:_MAX_RUNS]),
        "is_inside": is_inside,
        "outcome": build_outcomes(view.graph, view.execution.states)["states"][name],
        "items": _items(runs, 0),
        "link": build_link(view),
    }
    return views.render(request, "execution_state.html", **values)


def _build_payloads(view: ExecutionView, node: Node, runs: Sequence[StateRun]) -> dict[int, Sequence[Payload | None]]:
    """The payload of each attempt, by the number of its run."""
    return {number: build_payloads(view.execution, node, run) for number, run in enumerate(runs, start=1)}


def show_state(request: Request) -> Response:
    return HTMLResponse(render_panel(request, load_view(request)))


def show_log(request: Request) -> Response:
    """Serve the log lines of the function behind a Task state."""
    view = load_view(request)
    node = _find_node(view, request.query_params.get("state", ""))
    runs = [run for run in iterate_state_runs(view.execution.states) if run.name == node.name]
    lines = get_console(request).executions.read_state_log_lines(view.execution, node.resource, runs)
    return views.render_page(request, "execution_log.html", lines=lines[:_MAX_LOG_LINES], count=len(lines))


def show_definition(request: Request) -> Response:
    """Serve the definition of the execution's workflow."""
    definition = get_console(request).executions.get_definition(load_view(request).execution)
    text = format_definition(definition.text)
    values: dict[str, Any] = {"text": text, "html": highlight(text), "is_of_execution": definition.is_of_execution}
    return views.render_page(request, "execution_definition.html", **values)


def _timeline(view: ExecutionView, start: int, _request: Request | None = None) -> Slice[Any]:
    states = take_slice(view.execution.states, start, _MAX_ROWS)
    rows = Timeline.of(view.execution).rows(states.items)
    return Slice(tuple(rows), states.next, states.count)


def _usages(view: ExecutionView, start: int, _request: Request | None = None) -> Slice[Any]:
    return take_slice(build_usage_rows(view.execution) if not view.iteration else (), start, _MAX_ITEMS)


def _items(runs: Sequence[StateRun], start: int) -> Slice[Any]:
    """The items of the last run of a Map."""
    map_run = next((run.map for run in reversed(runs) if run.map), None)
    return take_slice(failed_first(map_run.iterations) if map_run else (), start, _MAX_ITEMS)


def _load_items(view: ExecutionView, start: int, request: Request) -> Slice[Any]:
    name = request.query_params.get("state", "")
    return _items([run for run in view.execution.states if run.name == name], start)


def _rows_handler(
    template: str, name: str, load: Callable[[ExecutionView, int, Request], Slice[Any]]
) -> Callable[..., Response]:
    """Build the endpoint for the next rows of a table, and the button that loads the rows after them."""

    def serve(request: Request) -> Response:
        view = load_view(request)
        rows = load(view, parse_start(request.query_params), request)
        values: dict[str, Any] = {name: rows, "link": build_link(view), "loaded": True}
        state = request.query_params.get("state", "")
        return views.render_page(request, template, view=view, state=state, **values)

    return serve


def _find_node(view: ExecutionView, name: str) -> Node:
    node = next((node for node in view.graph.all_nodes() if node.name == name), None)
    if node is None:
        raise OperatorError(f"This workflow has no state '{name}'.")
    return node


_ARN: Final = "/executions/{arn:path}"
ROUTES: Final = (
    Route(f"{_ARN}/state", show_state),
    Route(f"{_ARN}/log", show_log),
    Route(f"{_ARN}/definition", show_definition),
    Route(f"{_ARN}/time", _rows_handler("execution_timeline.html", "timeline", _timeline)),
    Route(f"{_ARN}/usages", _rows_handler("execution_usages.html", "usages", _usages)),
    Route(f"{_ARN}/items", _rows_handler("execution_items.html", "items", _load_items)),
)
