"""The graph as data for the script that draws it: what there is, and apart from it what became of it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from amberflo_workflows.console.views import SIGNS, counted
from amberflo_workflows.operate.executions.edges_taken import edges_taken
from amberflo_workflows.operate.executions.graph import Edge, Graph, Node
from amberflo_workflows.operate.executions.model import StateRun, Status

# Of many passages through a state inside a Map, the first of these is what the state is coloured by.
_WORST_FIRST: Final = (
    Status.FAILED,
    Status.TIMED_OUT,
    Status.ABORTED,
    Status.RUNNING,
    Status.CAUGHT,
    Status.SUCCEEDED,
)
_NOT_REACHED: Final = {"status": "none", "text": "· not reached", "ended": ""}
_NOT_TOLD: Final = {"status": "none", "text": "· history does not tell", "ended": ""}
_ELSEWHERE: Final = {"status": "none", "text": "· executions of their own", "ended": ""}


def drawing(graph: Graph) -> dict[str, Any]:
    """States and ways, with the graphs inside them; a way is meant by its number among all."""
    numbers = {id(edge): number for number, edge in enumerate(graph.every_edge())}
    return _graph(graph, numbers)


def outcomes(graph: Graph, states: Sequence[StateRun]) -> dict[str, Any]:
    """By state its outcome, ``status`` and ``text`` (``ended`` changes with each try), and the ways that were taken."""
    found: dict[str, dict[str, str]] = {}
    ways: set[int] = set()
    numbers = {id(edge): number for number, edge in enumerate(graph.every_edge())}
    _collect(graph, [states], found, ways, numbers)
    return {"states": found, "ways": sorted(ways)}


def told(passages: Sequence[StateRun]) -> dict[str, str]:
    """What became of a state that was passed through, in a few words with a sign."""
    last = passages[-1]
    tries = sum(len(one.tries) for one in passages)
    parts = [f"{SIGNS[last.status]} {last.status.value}"]
    if len(passages) > 1:
        parts.append(f"{len(passages)} times")
    if tries > len(passages):
        parts.append(f"{tries} tries")
    if last.map and last.map.items is not None:
        parts.append(counted(last.map.items, "item"))
    if last.tasks:
        parts.append(counted(last.tasks.started, "task"))
        parts += [f"{last.tasks.failed} failed"] if last.tasks.failed else []
    if last.map:
        bad = sum(one.status.is_bad for one in last.map.iterations)
        parts += [f"{bad:,} bad"] if bad else []
    # A try may end without any other change.
    ended = sum(attempt.end is not None for one in passages for attempt in one.tries)
    return {"status": last.status.value, "text": ", ".join(parts), "ended": str(ended)}


def runs_inside(passages: Sequence[StateRun]) -> Iterator[Sequence[StateRun]]:
    """What went on inside a Map or Parallel: the states of each of its items or branches."""
    for passage in passages:
        yield from passage.branches
        yield from (one.states for one in (passage.map.iterations if passage.map else ()))


def _collect(
    graph: Graph,
    runs: Sequence[Sequence[StateRun]],
    found: dict[str, dict[str, str]],
    ways: set[int],
    numbers: dict[int, int],
) -> None:
    by_name: dict[str, list[StateRun]] = {}
    went: set[Edge] = set()
    for states in runs:
        went |= edges_taken(graph, states)
        for state in states:
            by_name.setdefault(state.name, []).append(state)
    ways |= {numbers[id(edge)] for edge in graph.edges if edge in went}
    for node in graph.nodes:
        passages = by_name.get(node.name, [])
        found[node.name] = _outcome(passages, alone=len(runs) <= 1)
        inside = list(runs_inside(passages))
        for inner in node.inside:
            _collect(inner, inside, found, ways, numbers)
        if passages and not any(inside):
            unknown = _ELSEWHERE if node.is_distributed else _NOT_TOLD
            found.update({inner.name: unknown for graph_inside in node.inside for inner in graph_inside.every_node()})


def _outcome(passages: Sequence[StateRun], *, alone: bool) -> dict[str, str]:
    if not passages:
        return _NOT_REACHED
    if alone:
        return told(passages)
    counts = Counter(one.status for one in passages)
    parts = [f"{SIGNS[status]} {counts[status]:,} {status.value}" for status in _WORST_FIRST if counts[status]]
    worst = next(status for status in _WORST_FIRST if counts[status])
    return {"status": worst.value, "text": ", ".join(parts), "ended": ""}


def _graph(graph: Graph, numbers: dict[int, int]) -> dict[str, Any]:
    edges = [
        {"number": numbers[id(edge)], "from": edge.source, "to": edge.target, "way": edge.way, "label": edge.label}
        for edge in graph.edges
    ]
    return {"start": graph.start, "nodes": [_node(node, numbers) for node in graph.nodes], "edges": edges}


def _node(node: Node, numbers: dict[int, int]) -> dict[str, Any]:
    inside = [_graph(graph, numbers) for graph in node.inside]
    return {"name": node.name, "kind": node.kind, "inside": inside}
