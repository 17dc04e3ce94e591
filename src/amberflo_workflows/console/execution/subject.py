"""Which execution a page is about, or which item of its Map."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from starlette.requests import Request

from amberflo_workflows.console.state import Console, get_console
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.executions.executions import Executions
from amberflo_workflows.operate.executions.graph import Graph
from amberflo_workflows.operate.executions.model import Execution, Status

# Long enough for the parts of a page, short enough for lines of a log that come late and for a redrive.
_KEPT_SECONDS: Final = 60.0
_KEPT_AT_MOST: Final = 8


@dataclass(frozen=True)
class Subject:
    """An execution, or an item of its Map as one; ``iteration`` is ``STATE:N`` then, else empty."""

    execution: Execution
    graph: Graph
    iteration: str = ""

    @property
    def arn(self) -> str:
        """Of the execution, also for an item."""
        return self.execution.summary.arn

    @property
    def is_part(self) -> bool:
        """Whether it is an item of a Map, which cannot be started by itself."""
        return bool(self.iteration) or "/" in self.arn.split(":")[6]

    @property
    def seconds(self) -> float:
        """How long it took, or has taken so far."""
        summary = self.execution.summary
        return ((summary.stopped or datetime.now(UTC)) - summary.started).total_seconds()

    @property
    def is_running(self) -> bool:
        """Whether there is something to follow."""
        return self.execution.summary.status is Status.RUNNING


def subject(request: Request, *, fresh: bool = False) -> Subject:
    """What a request is about. Raises :class:`OperatorError`; ``fresh`` reads what has ended again."""
    console, arn = get_console(request), request.path_params["arn"]
    execution = None if fresh else _KEPT.get(arn)
    if execution is None:
        execution = console.executions.get(arn)
        _KEPT.put(arn, execution)
    return about(console, execution, request.query_params.get("iteration", ""))


def about(console: Console, execution: Execution, iteration: str) -> Subject:
    """An execution as it is known, or an item of its Map."""
    executions = console.executions
    graph = executions.graph_of(execution)
    return _opened(executions, execution, graph, iteration) if iteration else Subject(execution, graph)


def _opened(executions: Executions, execution: Execution, graph: Graph, iteration: str) -> Subject:
    name, _, index = iteration.rpartition(":")
    node = next((one for one in graph.nodes if one.name == name and one.inside), None)
    if node is None or not index.isdecimal():
        raise OperatorError(f"'{iteration}' is no item of a Map; it is to be like STATE:0.")
    return Subject(executions.opened(execution, name, int(index)), node.inside[0], iteration)


class _Kept:
    """The executions that were read last, of those that have ended: the parts of a page come one by one."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, Execution]] = {}

    def get(self, arn: str) -> Execution | None:
        at, execution = self._kept.get(arn, (0.0, None))
        return execution if time.monotonic() - at < _KEPT_SECONDS else None

    def put(self, arn: str, execution: Execution) -> None:
        if execution.summary.status is Status.RUNNING:
            return
        oldest_first = sorted(self._kept.items(), key=lambda item: item[1][0])
        self._kept = dict([*oldest_first[1 - _KEPT_AT_MOST :], (arn, (time.monotonic(), execution))])


_KEPT: Final = _Kept()
