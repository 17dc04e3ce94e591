"""The children of a distributed Map: executions of their own, which the history of their parent does not tell of."""

from collections import deque
from dataclasses import replace
from datetime import UTC
from typing import Any, Final

from amberflo_workflows.operate.executions.graph import Graph
from amberflo_workflows.operate.executions.model import Execution, Iteration, MapRun, StateRun, Status

# A file may have more ranges than anybody looks at; ``items`` tells how many there are.
MOST_CHILDREN: Final = 1_000


def with_children(client: Any, execution: Execution, graph: Graph) -> Execution:
    """The execution with the children of its distributed Maps as iterations, in the order of their start."""
    if not any(state.map and _is_distributed(state, graph) for state in execution.states):
        return execution
    runs = client.get_paginator("list_map_runs").paginate(executionArn=execution.summary.arn)
    # The emulator does not say which Map a run is of; they come in the order of the states.
    unnamed = deque(sorted(runs.search("mapRuns[]"), key=lambda run: run["startDate"]))
    states = []
    for state in execution.states:
        if not (state.map and _is_distributed(state, graph)) or not (state.map.arn or unnamed):
            states.append(state)
            continue
        arn = state.map.arn or unnamed.popleft()["mapRunArn"]
        states.append(replace(state, map=_map_run(client, arn)))
    return replace(execution, states=tuple(states))


def _is_distributed(state: StateRun, graph: Graph) -> bool:
    return any(node.name == state.name and node.is_distributed for node in graph.nodes)


def _map_run(client: Any, arn: str) -> MapRun:
    counts = client.describe_map_run(mapRunArn=arn)["itemCounts"]
    pages = client.get_paginator("list_executions").paginate(
        mapRunArn=arn, PaginationConfig={"MaxItems": MOST_CHILDREN}
    )
    children = sorted(pages.search("executions[]"), key=lambda child: (child["startDate"], child["executionArn"]))
    return MapRun(counts["total"], tuple(_iteration(index, child) for index, child in enumerate(children)), arn)


def _iteration(index: int, child: Any) -> Iteration:
    ended = child.get("stopDate")
    return Iteration(
        index=index,
        status=Status.of(child["status"]),
        started=child["startDate"].astimezone(UTC),
        ended=ended.astimezone(UTC) if ended else None,
        arn=child["executionArn"],
    )
