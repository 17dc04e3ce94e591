"""The children of a distributed Map: separate executions, which the history of their parent does not list."""

from collections import deque
from dataclasses import replace
from datetime import UTC
from typing import Any, Final

from amberflo_workflows.operate.executions.graph import Graph
from amberflo_workflows.operate.executions.model import Execution, Iteration, MapRun, StateRun, Status

# Limits the time to read a Map with very many children; ``MapRun.items`` has their number.
MAX_CHILDREN: Final = 1_000


def add_children(client: Any, execution: Execution, graph: Graph) -> Execution:
    """Return the execution with the children of its distributed Maps as iterations, in the order of their start."""
    if not any(state.map and _is_distributed(state, graph) for state in execution.states):
        return execution
    runs = client.get_paginator("list_map_runs").paginate(executionArn=execution.summary.arn)
    # On the emulator, runs do not name their Map; they are in the order of the states.
    unassigned = deque(sorted(runs.search("mapRuns[]"), key=lambda run: run["startDate"]))
    states = []
    for state in execution.states:
        if not (state.map and _is_distributed(state, graph)) or not (state.map.arn or unassigned):
            states.append(state)
            continue
        arn = state.map.arn or unassigned.popleft()["mapRunArn"]
        states.append(replace(state, map=_fetch_map_run(client, arn)))
    return replace(execution, states=tuple(states))


def _is_distributed(state: StateRun, graph: Graph) -> bool:
    return any(node.name == state.name and node.is_distributed for node in graph.nodes)


def _fetch_map_run(client: Any, arn: str) -> MapRun:
    counts = client.describe_map_run(mapRunArn=arn)["itemCounts"]
    pages = client.get_paginator("list_executions").paginate(mapRunArn=arn, PaginationConfig={"MaxItems": MAX_CHILDREN})
    children = sorted(pages.search("executions[]"), key=lambda child: (child["startDate"], child["executionArn"]))
    return MapRun(counts["total"], tuple(_build_iteration(index, child) for index, child in enumerate(children)), arn)


def _build_iteration(index: int, child: Any) -> Iteration:
    ended = child.get("stopDate")
    return Iteration(
        index=index,
        status=Status.parse(child["status"]),
        started=child["startDate"].astimezone(UTC),
        ended=ended.astimezone(UTC) if ended else None,
        arn=child["executionArn"],
    )
