"""Executions as text: the graph, the timeline, a state in full. Each line is still to be made harmless."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

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

ITERATIONS_SHOWN: Final = 20
_WIDTH: Final = 60
_SHORTEST_NAME: Final = 8
_MARKS: Final = {Status.SUCCEEDED: "✓", Status.RUNNING: "▷", Status.CAUGHT: "!"}
_TRY_MARKS: Final = {Status.SUCCEEDED: "█", Status.RUNNING: "▷"}


def outcome(status: Status) -> str:
    """In words; what is bad in capitals, so that it is seen without colours."""
    text = status.value.replace("-", " ")
    return text.upper() if status.is_failure else text


def moment(at: datetime) -> str:
    """To the second, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def duration(begin: datetime, end: datetime | None) -> str:
    """So far, if it has not ended."""
    seconds = ((end or datetime.now(UTC)) - begin).total_seconds()
    return f"{seconds:.2f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def problem(error: str, cause: str) -> str:
    """An error in one line."""
    message = parse_error_message(cause)
    return f"{error}: {message}" if error and message else error or message


def short_names(summaries: Sequence[ExecutionSummary]) -> list[str]:
    """The beginnings of names, long enough to tell them apart."""
    names = [summary.name for summary in summaries]
    length = _SHORTEST_NAME
    while len({name[:length] for name in names}) < len(set(names)):
        length += 1
    return [name[:length] for name in names]


def header(execution: Execution) -> Iterator[str]:
    """What it was and how it ended."""
    summary = execution.summary
    lasted = duration(summary.started, summary.stopped)
    yield f"{summary.workflow}  {summary.name}  {outcome(summary.status)} after {lasted}"
    yield f"  arn      {summary.arn}"
    yield f"  started  {moment(summary.started)}"
    yield f"  input    {_shown(execution.input)}"
    if execution.output is not None:
        yield f"  output   {_shown(execution.output)}"
    if execution.error or execution.cause:
        yield f"  error    {problem(execution.error, execution.cause)}"


def graph_lines(graph: Graph, states: Sequence[StateRun], indent: str = "") -> Iterator[str]:
    """Each state with its outcome, and below it where it may lead; a thick arrow where it did."""
    ways = find_taken_edges(graph, states)
    width = max(len(node.name) for node in graph.nodes)
    for node in graph.nodes:
        passages = [state for state in states if state.name == node.name]
        mark = _MARKS.get(passages[-1].status, "✗") if passages else "·"
        yield f"{indent}{mark} {node.name:<{width}}  {node.kind:<8}  {_went(passages)}".rstrip()
        yield from _inside(node, passages, indent + "    │ ")
        for edge in graph.edges:
            if edge.source == node.name:
                yield f"{indent}  {_arrow(edge, edge in ways)}"


def timeline(execution: Execution) -> Iterator[str]:
    """A bar for each state and, where there were several, for each try: █ done, x failed, ▷ going on, · waiting."""
    end = execution.summary.stopped or datetime.now(UTC)
    bars = _Bars(execution.summary.started, end)
    width = max([len(state.name) for state in execution.states] + [len("  iteration 999")])
    for state in execution.states:
        yield f"{state.name:<{width}} |{bars.of_state(state)}| {duration(state.entered, state.exited)}"
        if len(state.tries) > 1:
            for number, one in enumerate(state.tries, start=1):
                bar = bars.drawn([(one.start, one.end, _TRY_MARKS.get(one.status, "x"))])
                waited = f", then {one.wait_seconds:.2f} s of waiting" if one.wait_seconds is not None else ""
                told = f"{duration(one.start, one.end)} {outcome(one.status)} {one.error}".rstrip()
                yield f"{f'  try {number}':<{width}} |{bar}| {told}{waited}"
        iterations = state.map.iterations if state.map else ()
        for iteration in _worth_showing(iterations):
            mark = _TRY_MARKS.get(iteration.status, "x")
            bar = bars.drawn([(iteration.started, iteration.ended, mark)])
            lasted = duration(iteration.started, iteration.ended)
            yield f"{f'  iteration {iteration.index}':<{width}} |{bar}| {lasted} {outcome(iteration.status)}"
        if len(iterations) > ITERATIONS_SHOWN:
            yield f"  and {len(iterations) - ITERATIONS_SHOWN} more iterations"


def pretty(text: str | None) -> str:
    """Data over several lines, if it is whole JSON."""
    if text is None:
        return "(not known)"
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text


def state_lines(name: str, passages: Sequence[StateRun], lines: Sequence[LogLine]) -> Iterator[str]:
    """A state in full: each passage through it, and what its task logged."""
    if not passages:
        yield f"{name} was not reached, or its history does not tell of it."
    for state in passages:
        yield f"{state.name}  {_went([state])}, {duration(state.entered, state.exited)} from {moment(state.entered)}"
        for number, one in enumerate(state.tries, start=1):
            lasted = duration(one.start, one.end)
            yield f"  try {number}  {lasted} {outcome(one.status)}  {problem(one.error, one.cause)}".rstrip()
        yield f"input\n{pretty(state.input)}"
        if state.output is not None:
            yield f"output\n{pretty(state.output)}"
        if state.error or state.cause:
            yield f"error\n{problem(state.error, state.cause)}"
            yield from (f"    {line}" for line in parse_stack_trace(state.cause))
        yield ""
    if lines:
        yield "log"
    for line in lines:
        yield f"  {line.at:%H:%M:%S.%f} {line.level:<7} {line.text}"


def news(event: HistoryEvent) -> str | None:
    """An event in one line, if it is worth one."""
    name, error = event.details.get("name", ""), event.details.get("error") or ""
    if error:
        about = problem(error, event.details.get("cause") or "")
    elif event.type.startswith("MapIteration"):
        about = f"{name} {event.details.get('index')}"
    elif event.type.endswith(("StateEntered", "StateExited")) or event.type.startswith("Execution"):
        about = str(name)
    else:
        return None
    return f"{event.at.astimezone(UTC):%H:%M:%S}  {event.type}  {about}".rstrip()


class _Bars:
    def __init__(self, begin: datetime, end: datetime) -> None:
        self._begin, self._end = begin, end
        self._seconds = max((end - begin).total_seconds(), 0.001)

    def of_state(self, state: StateRun) -> str:
        if not state.tries:
            return self.drawn([(state.entered, state.exited, _TRY_MARKS.get(state.status, "█"))])
        parts = [(one.start, one.end, _TRY_MARKS.get(one.status, "x")) for one in state.tries]
        waits = [(one.end, after.start, "·") for one, after in zip(state.tries, state.tries[1:], strict=False)]
        return self.drawn([*waits, *parts])

    def drawn(self, parts: Sequence[tuple[datetime | None, datetime | None, str]]) -> str:
        cells = [" "] * _WIDTH
        for begin, end, mark in parts:
            first = min(self._cell(begin or self._begin), _WIDTH - 1)
            last = max(self._cell(end or self._end), first + 1)
            cells[first:last] = mark * (min(last, _WIDTH) - first)
        return "".join(cells)

    def _cell(self, at: datetime) -> int:
        share = (at - self._begin).total_seconds() / self._seconds
        return min(max(round(share * _WIDTH), 0), _WIDTH)


def _shown(text: str | None) -> str:
    if text is None:
        return "(not known)"
    line = " ".join(text.split())
    return line if len(line) <= 200 else f"{line[:200]}…"


def _went(passages: Sequence[StateRun]) -> str:
    if not passages:
        return "not reached"
    last = passages[-1]
    tries = sum(len(state.tries) for state in passages)
    told = [outcome(last.status)]
    if len(passages) > 1:
        told.append(f"entered {len(passages)} times")
    if tries:
        told.append("1 try" if tries == 1 else f"{tries} tries")
    if last.tasks:
        told.append(f"{last.tasks.started} tasks, {last.tasks.failed} failed")
    if last.map and last.map.items is not None:
        told.append(f"{last.map.items} items")
    if last.error:
        told.append(last.error)
    return ", ".join(told)


def _arrow(edge: Edge, went: bool) -> str:
    label = {"catch": "on ", "choice": "if "}.get(edge.kind, "") + edge.label
    return f"{'━━▶' if went else '──▷'} {edge.target or 'the end'}{f'   {label}' if label else ''}"


def _inside(node: Node, passages: Sequence[StateRun], indent: str) -> Iterator[str]:
    """The states in a Map or Parallel, with how many passages ended how."""
    last = passages[-1] if passages else None
    runs = [iteration.states for iteration in last.map.iterations] if last and last.map else []
    runs += last.branches if last else []
    ended = Counter((state.name, state.status) for states in runs for state in states)
    for graph in node.subgraphs:
        width = max(len(inner.name) for inner in graph.nodes)
        for inner in graph.nodes:
            counts = [f"{count} {outcome(status)}" for (name, status), count in ended.items() if name == inner.name]
            yield f"{indent}{inner.name:<{width}}  {inner.kind:<8}  {', '.join(counts)}".rstrip()


def _worth_showing(iterations: Sequence[Iteration]) -> Sequence[Iteration]:
    """The bad ones before the others, if there are too many."""
    if len(iterations) <= ITERATIONS_SHOWN:
        return iterations
    return sorted(iterations, key=lambda one: (not one.status.is_failure, one.index))[:ITERATIONS_SHOWN]
