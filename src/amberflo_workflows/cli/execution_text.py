"""Executions as text: the graph, the timeline, a state in full. The caller escapes control characters."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from amberflo_workflows.operate.executions.content import describe_response_status
from amberflo_workflows.operate.executions.edges_taken import find_taken_edges
from amberflo_workflows.operate.executions.error_causes import parse_error_message, parse_stack_trace
from amberflo_workflows.operate.executions.graph import Edge, Graph, Node
from amberflo_workflows.operate.executions.model import (
    Execution,
    ExecutionSummary,
    HistoryEvent,
    Iteration,
    LogLine,
    StateRun,
    Status,
)

MAX_ITERATIONS_SHOWN: Final = 20
_WIDTH: Final = 60
_MIN_NAME_LENGTH: Final = 8
_MAX_VALUE_LENGTH: Final = 200
_MARKS: Final = {Status.SUCCEEDED: "✓", Status.RUNNING: "▷", Status.CAUGHT: "!"}
_BAR_MARKS: Final = {Status.SUCCEEDED: "█", Status.RUNNING: "▷"}


def render_status(status: Status) -> str:
    """Render a status in words; a failure is in capitals, so that it stands out without colours."""
    text = status.value.replace("-", " ")
    return text.upper() if status.is_failure else text


def render_outcome(status: Status, response_status: int | None) -> str:
    """Render a status and, if it is known, that of the response: an error in capitals, like a failure."""
    if response_status is None:
        return render_status(status)
    return f"{render_status(status)} · {describe_response_status(response_status).upper()}"


def format_time(time: datetime) -> str:
    """Format a time in UTC, to the second."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def format_duration(start: datetime, end: datetime | None) -> str:
    """Format the time between start and end, or until now if there is no end."""
    seconds = ((end or datetime.now(UTC)) - start).total_seconds()
    return f"{seconds:.2f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def render_error(error: str, cause: str) -> str:
    """Render an error and its message in one line."""
    message = parse_error_message(cause)
    return f"{error}: {message}" if error and message else error or message


def shorten_names(summaries: Sequence[ExecutionSummary]) -> list[str]:
    """Shorten names to a length at which they differ from each other."""
    names = [summary.name for summary in summaries]
    length = _MIN_NAME_LENGTH
    while len({name[:length] for name in names}) < len(set(names)):
        length += 1
    return [name[:length] for name in names]


def format_json(text: str | None) -> str:
    """Indent JSON over several lines; other text is returned as it is."""
    if text is None:
        return "(not known)"
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text


def render_header(execution: Execution) -> Iterator[str]:
    """Render an execution's status, times, input, output and error."""
    summary = execution.summary
    outcome = render_outcome(summary.status, summary.response_status)
    duration = format_duration(summary.started, summary.stopped)
    yield f"{summary.workflow}  {summary.name}  {outcome} after {duration}"
    yield f"  arn      {summary.arn}"
    yield f"  started  {format_time(summary.started)}"
    yield f"  input    {_shorten(execution.input)}"
    if execution.output is not None:
        yield f"  output   {_shorten(execution.output)}"
    if execution.error or execution.cause:
        yield f"  error    {render_error(execution.error, execution.cause)}"


def render_graph(graph: Graph, states: Sequence[StateRun]) -> Iterator[str]:
    """Render each state with its status, and below it its transitions; a thick arrow is one that was taken."""
    taken_edges = find_taken_edges(graph, states)
    width = max(len(node.name) for node in graph.nodes)
    for node in graph.nodes:
        runs = [state for state in states if state.name == node.name]
        mark = _MARKS.get(runs[-1].status, "✗") if runs else "·"
        yield f"{mark} {node.name:<{width}}  {node.kind:<8}  {_summarize(runs)}".rstrip()
        yield from _render_subgraphs(node, runs)
        for edge in graph.edges:
            if edge.source == node.name:
                yield f"  {_render_edge(edge, edge in taken_edges)}"


def render_timeline(execution: Execution) -> Iterator[str]:
    """Render a bar for each state and for each attempt of several: █ work, x failed, ▷ running, · waiting."""
    end = execution.summary.stopped or datetime.now(UTC)
    bars = _Bars(execution.summary.started, end)
    width = max([len(state.name) for state in execution.states] + [len("  iteration 999")])
    for state in execution.states:
        yield f"{state.name:<{width}} |{bars.render_state(state)}| {format_duration(state.entered, state.exited)}"
        if len(state.tries) > 1:
            for number, attempt in enumerate(state.tries, start=1):
                bar = bars.render([(attempt.start, attempt.end, _BAR_MARKS.get(attempt.status, "x"))])
                text = f"{format_duration(attempt.start, attempt.end)} {render_status(attempt.status)} {attempt.error}"
                wait = "" if attempt.wait_seconds is None else f", then a wait of {attempt.wait_seconds:.2f} s"
                yield f"{f'  attempt {number}':<{width}} |{bar}| {text.rstrip()}{wait}"
        iterations = state.map.iterations if state.map else ()
        for iteration in _select_iterations(iterations):
            bar = bars.render([(iteration.started, iteration.ended, _BAR_MARKS.get(iteration.status, "x"))])
            text = f"{format_duration(iteration.started, iteration.ended)} {render_status(iteration.status)}"
            yield f"{f'  iteration {iteration.index}':<{width}} |{bar}| {text}"
        if len(iterations) > MAX_ITERATIONS_SHOWN:
            yield f"  and {len(iterations) - MAX_ITERATIONS_SHOWN} more iterations"


def render_state(name: str, runs: Sequence[StateRun], lines: Sequence[LogLine]) -> Iterator[str]:
    """Render a state in full: each run of it, and the log of its task."""
    if not runs:
        yield f"{name} was not reached, or the history does not include it."
    for state in runs:
        duration = format_duration(state.entered, state.exited)
        yield f"{state.name}  {_summarize([state])}, {duration} from {format_time(state.entered)}"
        for number, attempt in enumerate(state.tries, start=1):
            text = f"{format_duration(attempt.start, attempt.end)} {render_status(attempt.status)}"
            yield f"  attempt {number}  {text}  {render_error(attempt.error, attempt.cause)}".rstrip()
            if attempt.payload is not None:
                yield f"payload of attempt {number}\n{format_json(attempt.payload)}"
        yield f"input\n{format_json(state.input)}"
        if state.output is not None:
            yield f"output\n{format_json(state.output)}"
        if state.error or state.cause:
            yield f"error\n{render_error(state.error, state.cause)}"
            yield from (f"    {line}" for line in parse_stack_trace(state.cause))
        yield ""
    if lines:
        yield "log"
    for line in lines:
        yield f"  {line.at:%H:%M:%S.%f} {line.level:<7} {line.text}"


def render_event(event: HistoryEvent) -> str | None:
    """Render an error, or the start or end of a state, iteration or execution, in one line. ``None`` for the rest."""
    name, error = event.details.get("name", ""), event.details.get("error") or ""
    if error:
        text = render_error(error, event.details.get("cause") or "")
    elif event.type.startswith("MapIteration"):
        text = f"{name} {event.details.get('index')}"
    elif event.type.endswith(("StateEntered", "StateExited")) or event.type.startswith("Execution"):
        text = str(name)
    else:
        return None
    return f"{event.at.astimezone(UTC):%H:%M:%S}  {event.type}  {text}".rstrip()


class _Bars:
    """Bars on a time axis from the start to the end of an execution."""

    def __init__(self, start: datetime, end: datetime) -> None:
        self._start, self._end = start, end
        self._seconds = max((end - start).total_seconds(), 0.001)

    def render_state(self, state: StateRun) -> str:
        if not state.tries:
            return self.render([(state.entered, state.exited, _BAR_MARKS.get(state.status, "█"))])
        attempts = [(item.start, item.end, _BAR_MARKS.get(item.status, "x")) for item in state.tries]
        waits = [(item.end, after.start, "·") for item, after in zip(state.tries, state.tries[1:], strict=False)]
        return self.render([*waits, *attempts])

    def render(self, parts: Sequence[tuple[datetime | None, datetime | None, str]]) -> str:
        cells = [" "] * _WIDTH
        for start, end, mark in parts:
            first = min(self._get_cell(start or self._start), _WIDTH - 1)
            last = max(self._get_cell(end or self._end), first + 1)
            cells[first:last] = mark * (min(last, _WIDTH) - first)
        return "".join(cells)

    def _get_cell(self, time: datetime) -> int:
        share = (time - self._start).total_seconds() / self._seconds
        return min(max(round(share * _WIDTH), 0), _WIDTH)


def _shorten(text: str | None) -> str:
    if text is None:
        return "(not known)"
    line = " ".join(text.split())
    return line if len(line) <= _MAX_VALUE_LENGTH else f"{line[:_MAX_VALUE_LENGTH]}…"


def _summarize(runs: Sequence[StateRun]) -> str:
    if not runs:
        return "not reached"
    last = runs[-1]
    attempts = sum(len(state.tries) for state in runs)
    parts = [render_status(last.status)]
    if len(runs) > 1:
        parts.append(f"entered {len(runs)} times")
    if attempts:
        parts.append("1 attempt" if attempts == 1 else f"{attempts} attempts")
    if last.tasks:
        parts.append(f"{last.tasks.started} tasks, {last.tasks.failed} failed")
    if last.map and last.map.items is not None:
        parts.append("1 item" if last.map.items == 1 else f"{last.map.items} items")
    if last.error:
        parts.append(last.error)
    return ", ".join(parts)


def _render_edge(edge: Edge, is_taken: bool) -> str:
    label = {"catch": "on ", "choice": "if "}.get(edge.kind, "") + edge.label
    return f"{'━━▶' if is_taken else '──▷'} {edge.target or 'the end'}{f'   {label}' if label else ''}"


def _render_subgraphs(node: Node, runs: Sequence[StateRun]) -> Iterator[str]:
    """Render the states in a Map or Parallel, each with the number of its runs by status."""
    last = runs[-1] if runs else None
    inner_runs = [iteration.states for iteration in last.map.iterations] if last and last.map else []
    inner_runs += last.branches if last else []
    counts = Counter((state.name, state.status) for states in inner_runs for state in states)
    for graph in node.subgraphs:
        width = max(len(inner.name) for inner in graph.nodes)
        for inner in graph.nodes:
            texts = [
                f"{count} {render_status(status)}" for (name, status), count in counts.items() if name == inner.name
            ]
            yield f"    │ {inner.name:<{width}}  {inner.kind:<8}  {', '.join(texts)}".rstrip()


def _select_iterations(iterations: Sequence[Iteration]) -> Sequence[Iteration]:
    """Select the iterations to show; failed ones first if there are too many."""
    if len(iterations) <= MAX_ITERATIONS_SHOWN:
        return iterations
    return sorted(iterations, key=lambda item: (not item.status.is_failure, item.index))[:MAX_ITERATIONS_SHOWN]
