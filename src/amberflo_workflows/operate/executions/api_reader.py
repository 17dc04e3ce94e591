"""Executions as Step Functions keeps them: of standard workflows on AWS, of all on the emulator."""

import heapq
from bisect import insort
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC
from itertools import islice
from typing import Any, Final

from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.executions.events import history_events, whole
from amberflo_workflows.operate.executions.history import build_execution
from amberflo_workflows.operate.executions.machines import Machine, Machines
from amberflo_workflows.operate.executions.map_runs import with_children
from amberflo_workflows.operate.executions.model import (
    Execution,
    ExecutionSummary,
    HistoryEvent,
    LogLine,
    Status,
    execution_name,
    preview,
)
from amberflo_workflows.operate.executions.reader import MOST_LOOKED_AT, NoSuchExecution, Page, Query, token
from amberflo_workflows.operate.executions.task_logs import task_log_lines
from amberflo_workflows.operate.executions.throttling import retry_throttled

# Few enough for AWS, which lets one account describe 15 executions a second once it has done 300.
_AT_ONCE: Final = 4
_IN_A_ROW: Final = 20
# Each has 262,144 bytes at most, and mostly a few hundred.
_INPUTS_KEPT: Final = 1000
_READ_WITH: Final = ("ListExecutions", "DescribeExecution", "GetExecutionHistory", "ListMapRuns", "DescribeMapRun")


class ApiReader:
    """Reads with ListExecutions, DescribeExecution and GetExecutionHistory."""

    def __init__(self, deployment: Deployment, machines: Machines, readable: Sequence[Machine]) -> None:
        self._deployment = deployment
        self._machines = machines
        self._readable = readable
        self._client = retry_throttled(deployment.client("stepfunctions"), *_READ_WITH)
        self._inputs: dict[str, str] = {}

    def page(self, query: Query) -> Page:
        """Executions that were asked for, with what their input begins with."""
        return self._page(self._wanted(query), query)

    def recent(self, query: Query) -> Sequence[ExecutionSummary]:
        """Executions that were asked for, without their inputs."""
        return tuple(islice(self._wanted(query), query.limit))

    def _wanted(self, query: Query) -> Iterator[ExecutionSummary]:
        machines = [machine for machine in self._readable if query.workflow in {None, machine.workflow}]
        streams = [self._newest_first(machine, query) for machine in machines]
        candidates = heapq.merge(*streams, key=token, reverse=True)
        return (summary for summary in candidates if query.wants(summary))

    def get(self, arn: str, after: Sequence[HistoryEvent] = ()) -> Execution:
        """An execution whole; ``after`` are events that are known already. Raises :class:`NoSuchExecution`."""
        machine = self._machines.of_execution(arn)
        described = self._describe(arn)
        events = [*after, *self._events(arn, after[-1].id if after else 0)]
        found = build_execution(arn, machine.workflow, whole(events, described), machine.graph)
        if "mapRunArn" in described:
            run = self._client.describe_map_run(mapRunArn=described["mapRunArn"])
            # What a child's tasks log bears the name of the execution that a person started.
            return replace(found, log_name=execution_name(run["executionArn"]))
        return with_children(self._client, found, machine.graph)

    def log_lines(self, execution: Execution) -> Iterator[LogLine]:
        """What its tasks logged, oldest first."""
        machine = self._machines.of_execution(execution.summary.arn)
        return task_log_lines(self._deployment, machine, execution)

    def _describe(self, arn: str) -> Any:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - slow to import

        try:
            return self._client.describe_execution(executionArn=arn)
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"ExecutionDoesNotExist", "InvalidArn"}:
                raise
            raise NoSuchExecution(f"There is no execution {arn}; see: metering executions list") from None

    def _events(self, arn: str, known: int) -> list[HistoryEvent]:
        """Events after the one with the id ``known``. From the end, so that to follow is not to read all again."""
        pages = self._client.get_paginator("get_execution_history").paginate(
            executionArn=arn, reverseOrder=known > 0, PaginationConfig={"PageSize": 100 if known else 1000}
        )
        found: list[HistoryEvent] = []
        for raw in pages.search("events[]"):
            if known and raw["id"] <= known:
                break
            found.append(history_events(raw))
        return sorted(found, key=lambda event: event.id)

    def _newest_first(self, machine: Machine, query: Query) -> Iterator[ExecutionSummary]:
        """By their start. AWS goes by the end of what has ended, so a few are held back until none can come before."""
        status = {"statusFilter": query.status.value.upper().replace("-", "_")} if query.status else {}
        pages = self._client.get_paginator("list_executions").paginate(
            stateMachineArn=machine.arn, **status, PaginationConfig={"PageSize": min(query.limit + 100, 1000)}
        )
        held: list[ExecutionSummary] = []
        for raw in pages.search("executions[]"):
            summary = _summary(machine, raw)
            reached = summary.stopped or summary.started
            if query.since and reached < query.since:
                break
            insort(held, summary, key=token)
            while held and held[-1].started >= reached:
                yield held.pop()
        yield from reversed(held)

    def _page(self, wanted: Iterable[ExecutionSummary], query: Query) -> Page:
        found: list[ExecutionSummary] = []
        looked_at = 0
        candidates = iter(wanted)
        last: ExecutionSummary | None = None
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            while len(found) < query.limit and looked_at < MOST_LOOKED_AT:
                some = list(islice(candidates, _IN_A_ROW))
                if not some:
                    return Page(tuple(found), "")
                for summary, text in zip(some, pool.map(self._input, some), strict=True):
                    if len(found) < query.limit:
                        last = summary
                        if query.text in text:
                            found.append(replace(summary, input_preview=preview(text)))
                looked_at += len(some)
        is_more = last is not None and (last is not some[-1] or next(candidates, None) is not None)
        return Page(tuple(found), token(last) if is_more and last else "")

    def _input(self, summary: ExecutionSummary) -> str:
        """It never changes, so those that are looked at again and again are kept."""
        known = self._inputs.get(summary.arn)
        if known is None:
            known = self._inputs[summary.arn] = str(self._describe(summary.arn).get("input", ""))
            if len(self._inputs) > _INPUTS_KEPT:
                self._inputs.pop(next(iter(self._inputs)), None)
        return known


def _summary(machine: Machine, raw: Any) -> ExecutionSummary:
    stopped = raw.get("stopDate")
    return ExecutionSummary(
        arn=raw["executionArn"],
        workflow=machine.workflow,
        status=Status.of(raw["status"]),
        started=raw["startDate"].astimezone(UTC),
        stopped=stopped.astimezone(UTC) if stopped else None,
    )
