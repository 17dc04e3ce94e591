"""The edges of a workflow's graph that an execution followed."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from amberflo_workflows.operate.executions.graph import Edge, Graph
from amberflo_workflows.operate.executions.model import StateRun, Status


def find_taken_edges(graph: Graph, states: Sequence[StateRun]) -> set[Edge]:
    """Return the edges of a graph that these states, one after another, followed."""
    taken = set()
    for state, following in pairwise([*states, None]):
        if state is None or (following is None and state.status not in {Status.SUCCEEDED, Status.CAUGHT}):
            continue
        edge = _find_edge(graph.edges, state, following.name if following else None)
        if edge:
            taken.add(edge)
    return taken


def _find_edge(edges: Iterable[Edge], state: StateRun, target: str | None) -> Edge | None:
    """Return the edge to ``target``; if one leads there with and one without an error, the state's status decides."""
    candidates = [edge for edge in edges if (edge.source, edge.target) == (state.name, target)]
    caught = state.status is Status.CAUGHT
    return next((edge for edge in candidates if (edge.kind == "catch") == caught), None)
