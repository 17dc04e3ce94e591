"""Which ways through its graph an execution took. Pure."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from amberflo_workflows.operate.executions.graph import Edge, Graph
from amberflo_workflows.operate.executions.model import StateRun, Status


def edges_taken(graph: Graph, states: Sequence[StateRun]) -> set[Edge]:
    """The edges of a graph that these states, one after the other, followed."""
    found = set()
    for state, following in pairwise([*states, None]):
        if state is None or (following is None and state.status not in {Status.SUCCEEDED, Status.CAUGHT}):
            continue
        edge = _between(graph.edges, state, following.name if following else None)
        if edge:
            found.add(edge)
    return found


def _between(edges: Iterable[Edge], state: StateRun, target: str | None) -> Edge | None:
    """A way may lead on both after an error and without one; then the state's own outcome tells which it was."""
    possible = [edge for edge in edges if (edge.source, edge.target) == (state.name, target)]
    caught = state.status is Status.CAUGHT
    return next((edge for edge in possible if (edge.way == "catch") == caught), None)
