"""The execution that a page shows, or an item of a Map in it."""

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

# Long enough to serve the parts of a page, short enough for log lines that arrive late and for a redrive.
_CACHE_SECONDS: Final = 60.0
_MAX_CACHED: Final = 8


@dataclass(frozen=True)
class ExecutionView:
    """An execution, or an item of a Map in it; ``iteration`` is then ``STATE:INDEX``, else empty."""

    execution: Execution
    graph: Graph
    iteration: str = ""

    @property
    def arn(self) -> str:
        """The ARN of the execution, also for an item."""
        return self.execution.summary.arn

    @property
    def is_item(self) -> bool:
        """Whether this is an item of a Map, which cannot be started by itself."""
        return bool(self.iteration) or "/" in self.arn.split(":")[6]

    @property
    def seconds(self) -> float:
        """The duration until now or until the end, in seconds."""
        summary = self.execution.summary
        return ((summary.stopped or datetime.now(UTC)) - summary.started).total_seconds()

    @property
    def is_running(self) -> bool:
        return self.execution.summary.status is Status.RUNNING


def load_view(request: Request, *, fresh: bool = False) -> ExecutionView:
    """Load the execution or item of a request. ``fresh`` bypasses the cache. Raises :class:`OperatorError`."""
    console, arn = get_console(request), request.path_params["arn"]
    execution = None if fresh else _CACHE.get(arn)
    if execution is None:
        execution = console.executions.get(arn)
        _CACHE.put(arn, execution)
    return build_view(console, execution, request.query_params.get("iteration", ""))


def build_view(console: Console, execution: Execution, iteration: str) -> ExecutionView:
    """Build the view of an execution, or of the item ``iteration`` (``STATE:INDEX``) of a Map in it."""
    executions = console.executions
    graph = executions.get_graph(execution)
    return _build_item_view(executions, execution, graph, iteration) if iteration else ExecutionView(execution, graph)


def _build_item_view(executions: Executions, execution: Execution, graph: Graph, iteration: str) -> ExecutionView:
    name, _, index = iteration.rpartition(":")
    node = next((node for node in graph.nodes if node.name == name and node.subgraphs), None)
    if node is None or not index.isdecimal():
        raise OperatorError(f"'{iteration}' is not an item of a Map. Use STATE:INDEX, for example SendRanges:0.")
    return ExecutionView(executions.open_iteration(execution, name, int(index)), node.subgraphs[0], iteration)


def forget_execution(arn: str) -> None:
    """Let the next request read an execution that has changed since it ended."""
    _CACHE.remove(arn)


class _ExecutionCache:
    """The executions that were read last and have ended: the parts of a page are requested one by one."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[float, Execution]] = {}

    def get(self, arn: str) -> Execution | None:
        stored, execution = self._entries.get(arn, (0.0, None))
        return execution if time.monotonic() - stored < _CACHE_SECONDS else None

    def remove(self, arn: str) -> None:
        self._entries.pop(arn, None)

    def put(self, arn: str, execution: Execution) -> None:
        if execution.summary.status is Status.RUNNING:
            return
        oldest_first = sorted(self._entries.items(), key=lambda entry: entry[1][0])
        self._entries = dict([*oldest_first[1 - _MAX_CACHED :], (arn, (time.monotonic(), execution))])


_CACHE: Final = _ExecutionCache()
