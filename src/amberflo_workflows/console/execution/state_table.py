"""The states of a workflow as rows of a table, which says the same as its graph."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from amberflo_workflows.console.execution.view import ExecutionView
from amberflo_workflows.operate.executions.graph import Graph
from amberflo_workflows.operate.executions.model import StateRun, iterate_state_runs


@dataclass(frozen=True)
class StateRow:
    """A state and its runs, from the start of the first to the end of the last; ``depth`` is that of its Maps."""

    name: str
    kind: str
    depth: int
    status: str
    text: str
    started: datetime | None
    seconds: float | None
    error: str


def build_state_rows(view: ExecutionView, outcomes: Mapping[str, Any]) -> list[StateRow]:
    """Build a row for each state in the order of the definition. ``outcomes`` are those of the graph."""
    runs_by_name: dict[str, list[StateRun]] = {}
    for run in iterate_state_runs(view.execution.states):
        runs_by_name.setdefault(run.name, []).append(run)
    return list(_build_rows(view.graph, 0, runs_by_name, outcomes))


def _build_rows(
    graph: Graph, depth: int, runs_by_name: Mapping[str, Sequence[StateRun]], outcomes: Mapping[str, Any]
) -> Iterator[StateRow]:
    for node in graph.nodes:
        runs = runs_by_name.get(node.name, [])
        ends = [run.exited for run in runs]
        started = min((run.entered for run in runs), default=None)
        ended = None if None in ends else max((end for end in ends if end), default=None)
        yield StateRow(
            name=node.name,
            kind=node.kind,
            depth=depth,
            status=outcomes[node.name]["status"],
            text=outcomes[node.name]["text"],
            started=started,
            seconds=(ended - started).total_seconds() if started and ended else None,
            error=next((run.error for run in reversed(runs) if run.error), ""),
        )
        for inner in node.subgraphs:
            yield from _build_rows(inner, depth + 1, runs_by_name, outcomes)
