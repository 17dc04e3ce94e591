"""The graph of a workflow and the outcomes of its states, as data for the script that draws them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from amberflo_workflows.console.views import SIGNS, format_count
from amberflo_workflows.operate.executions.edges_taken import find_taken_edges
from amberflo_workflows.operate.executions.graph import Edge, Graph, Node
from amberflo_workflows.operate.executions.model import StateRun, Status

# A state inside a Map may have many runs. Its colour is that of the first of these statuses that a run has.
_WORST_FIRST: Final = (
    Status.FAILED,
    Status.TIMED_OUT,
    Status.ABORTED,
    Status.RUNNING,
    Status.CAUGHT,
    Status.SUCCEEDED,
)
_NOT_REACHED: Final = {"status": "none", "text": "· not reached", "ended": ""}
_NOT_RECORDED: Final = {"status": "none", "text": "· not in the history", "ended": ""}
_CHILD_EXECUTIONS: Final = {"status": "none", "text": "· child executions", "ended": ""}


def build_graph_data(graph: Graph) -> dict[str, Any]:
    """Build the states and edges, with inner graphs. Edges are numbered across all graphs."""
    numbers = {id(edge): number for number, edge in enumerate(graph.all_edges())}
    return _build_graph(graph, numbers)


def build_outcomes(graph: Graph, states: Sequence[StateRun]) -> dict[str, Any]:
    """Build the outcome of each state, and the numbers of the edges that were taken.

    An outcome has a ``status`` for the colour, a ``text``, and ``ended``, which changes whenever an attempt has ended.
    """
    outcomes: dict[str, dict[str, str]] = {}
    taken: set[int] = set()
    numbers = {id(edge): number for number, edge in enumerate(graph.all_edges())}
    _collect_outcomes(graph, [states], outcomes, taken, numbers)
    return {"states": outcomes, "edges": sorted(taken)}


def describe_state(runs: Sequence[StateRun]) -> dict[str, str]:
    """Build the outcome of a state from its runs, of which there is at least one."""
    last = runs[-1]
    attempts = sum(len(run.tries) for run in runs)
    parts = [f"{SIGNS[last.status]} {last.status.value}"]
    if len(runs) > 1:
        parts.append(f"{len(runs)} times")
    if attempts > len(runs):
        parts.append(f"{attempts} attempts")
    if last.map and last.map.items is not None:
        parts.append(format_count(last.map.items, "item"))
    if last.tasks:
        parts.append(format_count(last.tasks.started, "task"))
        parts += [f"{last.tasks.failed} failed"] if last.tasks.failed else []
    if last.map:
        failed = sum(iteration.status.is_failure for iteration in last.map.iterations)
        parts += [f"{failed:,} failed"] if failed else []
    ended = sum(attempt.end is not None for run in runs for attempt in run.tries)
    return {"status": last.status.value, "text": ", ".join(parts), "ended": str(ended)}


def inner_runs(runs: Sequence[StateRun]) -> Iterator[Sequence[StateRun]]:
    """The runs of the states inside a Map or Parallel, for each of its items or branches."""
    for run in runs:
        yield from run.branches
        yield from (iteration.states for iteration in (run.map.iterations if run.map else ()))


def _collect_outcomes(
    graph: Graph,
    sequences: Sequence[Sequence[StateRun]],
    outcomes: dict[str, dict[str, str]],
    taken: set[int],
    numbers: dict[int, int],
) -> None:
    runs_by_name: dict[str, list[StateRun]] = {}
    edges: set[Edge] = set()
    for states in sequences:
        edges |= find_taken_edges(graph, states)
        for state in states:
            runs_by_name.setdefault(state.name, []).append(state)
    taken |= {numbers[id(edge)] for edge in graph.edges if edge in edges}
    for node in graph.nodes:
        runs = runs_by_name.get(node.name, [])
        outcomes[node.name] = _build_outcome(runs, is_single=len(sequences) <= 1)
        inside = list(inner_runs(runs))
        for inner_graph in node.subgraphs:
            _collect_outcomes(inner_graph, inside, outcomes, taken, numbers)
        if runs and not any(inside):
            unknown = _CHILD_EXECUTIONS if node.is_distributed else _NOT_RECORDED
            for inner_graph in node.subgraphs:
                outcomes.update({inner.name: unknown for inner in inner_graph.all_nodes()})


def _build_outcome(runs: Sequence[StateRun], *, is_single: bool) -> dict[str, str]:
    if not runs:
        return _NOT_REACHED
    if is_single:
        return describe_state(runs)
    counts = Counter(run.status for run in runs)
    parts = [f"{SIGNS[status]} {counts[status]:,} {status.value}" for status in _WORST_FIRST if counts[status]]
    worst = next(status for status in _WORST_FIRST if counts[status])
    return {"status": worst.value, "text": ", ".join(parts), "ended": ""}


def _build_graph(graph: Graph, numbers: dict[int, int]) -> dict[str, Any]:
    edges = [
        {"number": numbers[id(edge)], "from": edge.source, "to": edge.target, "kind": edge.kind, "label": edge.label}
        for edge in graph.edges
    ]
    return {"start": graph.start, "nodes": [_build_node(node, numbers) for node in graph.nodes], "edges": edges}


def _build_node(node: Node, numbers: dict[int, int]) -> dict[str, Any]:
    inside = [_build_graph(graph, numbers) for graph in node.subgraphs]
    return {"name": node.name, "kind": node.kind, "inside": inside}
