"""Read executions from Step Functions: those of standard workflows on AWS, all of them on the emulator."""

import heapq
import re
from bisect import insort
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC
from itertools import islice, takewhile
from typing import Any, Final

from botocore.exceptions import ClientError

from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.executions.content import parse_response_status
from amberflo_workflows.operate.executions.events import add_missing_ends, parse_history_event
from amberflo_workflows.operate.executions.history import build_execution
from amberflo_workflows.operate.executions.machines import Machine, Machines
from amberflo_workflows.operate.executions.map_runs import add_children
from amberflo_workflows.operate.executions.model import (
    Execution,
    ExecutionResult,
    ExecutionSummary,
    HistoryEvent,
    LogLine,
    Status,
    build_preview,
    parse_execution_name,
)
from amberflo_workflows.operate.executions.reader import (
    MAX_EXAMINED,
    NoSuchExecution,
    Page,
    Query,
    build_page_token,
    to_millis,
)
from amberflo_workflows.operate.executions.task_logs import fetch_task_log_lines
from amberflo_workflows.operate.executions.throttling import retry_throttled

# AWS allows an account 15 DescribeExecution calls a second, after a burst of 300.
_MAX_CONCURRENCY: Final = 4
_BATCH_SIZE: Final = 20
# Input and output have at most 262,144 bytes each, and usually a few hundred.
_MAX_CACHED: Final = 5_000
_MAX_CACHED_CHARACTERS: Final = 20_000
# See https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html.
_NAME: Final = re.compile(r"""[^\s<>{}\[\]?*"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]{1,80}""")
_OPERATIONS: Final = (
    *("ListExecutions", "DescribeExecution", "GetExecutionHistory", "DescribeStateMachineForExecution"),
    *("ListMapRuns", "DescribeMapRun"),
)


class ApiReader:
    """Reads with ListExecutions, DescribeExecution and GetExecutionHistory."""

    def __init__(self, deployment: Deployment, machines: Machines, readable: Sequence[Machine]) -> None:
        self._deployment = deployment
        self._machines = machines
        self._readable = readable
        self._client = retry_throttled(deployment.client("stepfunctions"), *_OPERATIONS)
        self._results: dict[str, ExecutionResult] = {}

    def list_page(self, query: Query) -> Page:
        """List executions with a preview of their input, and with their response."""
        return self._build_page(self._list(query), query)

    def list_recent(self, query: Query, max_reads: int) -> Sequence[ExecutionSummary]:
        """List executions without a preview of their input, and with the responses that are cached or read."""
        summaries = list(islice(self._list(query), query.limit))
        unread = [item for item in summaries if item.status is Status.SUCCEEDED and not self._get_cached(item)]
        with ThreadPoolExecutor(_MAX_CONCURRENCY) as pool:
            list(pool.map(self._read_result, unread[:max_reads]))
        cached = [(summary, self._get_cached(summary)) for summary in summaries]
        return tuple(result.summary if result else summary for summary, result in cached)

    def list_results(self, query: Query) -> Sequence[ExecutionResult]:
        """List executions with their results, newest first."""
        arns = [summary.arn for summary in islice(self._list(query), query.limit)]
        with ThreadPoolExecutor(_MAX_CONCURRENCY) as pool:
            return tuple(pool.map(self.get_result, arns))

    def find_by_name(self, name: str) -> Sequence[str]:
        """Return the ARN of each execution with exactly this name."""
        if not _NAME.fullmatch(name):
            return []
        arns = [f"{machine.arn.replace(':stateMachine:', ':execution:')}:{name}" for machine in self._readable]
        with ThreadPoolExecutor(_MAX_CONCURRENCY) as pool:
            return [arn for arn, exists in zip(arns, pool.map(self._exists, arns), strict=True) if exists]

    def get_result(self, arn: str) -> ExecutionResult:
        """Read an execution without its history. Raises :class:`NoSuchExecution`."""
        described = self._describe(arn)
        text, error = described.get("input"), described.get("error", "")
        # The emulator has error and cause as the output, too.
        output = described.get("output") if described["status"] == "SUCCEEDED" else None
        summary = replace(
            _build_summary(self._machines.get_by_execution(arn), described),
            input_preview=build_preview(text),
            response_status=parse_response_status(output),
            error=error,
        )
        return ExecutionResult(summary, text, output, error, described.get("cause", ""))

    def _list(self, query: Query) -> Iterator[ExecutionSummary]:
        machines = [machine for machine in self._readable if query.workflow in {None, machine.workflow}]
        streams = [self._list_newest_first(machine, query) for machine in machines]
        candidates = heapq.merge(*streams, key=build_page_token, reverse=True)
        return (summary for summary in candidates if query.matches(summary))

    def get(self, arn: str, known_events: Sequence[HistoryEvent] = ()) -> Execution:
        """Read an execution with its history. Raises :class:`NoSuchExecution`.

        Only the events after ``known_events`` are read.
        """
        machine = self._machines.get_by_execution(arn)
        described = self._describe(arn)
        events = [*known_events, *self._read_events(arn, known_events[-1].id if known_events else 0)]
        execution = build_execution(arn, machine.workflow, add_missing_ends(events, described), machine.graph)
        if "mapRunArn" in described:
            run = self._client.describe_map_run(mapRunArn=described["mapRunArn"])
            # The tasks of a child log the name of its parent.
            return replace(execution, log_name=parse_execution_name(run["executionArn"]))
        return add_children(self._client, execution, machine.graph)

    def get_definition(self, arn: str) -> str:
        """Read the definition that a standard execution started with."""
        return str(self._client.describe_state_machine_for_execution(executionArn=arn)["definition"])

    def read_log_lines(self, execution: Execution) -> Iterator[LogLine]:
        """Read the lines that its tasks logged, oldest first."""
        machine = self._machines.get_by_execution(execution.summary.arn)
        return fetch_task_log_lines(self._deployment, machine, execution)

    def _exists(self, arn: str) -> bool:
        try:
            self._describe(arn)
        except NoSuchExecution:
            return False
        return True

    def _describe(self, arn: str) -> Any:
        try:
            return self._client.describe_execution(executionArn=arn)
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"ExecutionDoesNotExist", "InvalidArn"}:
                raise
            raise NoSuchExecution(f"Execution {arn} was not found.", see="executions list") from None

    def _read_events(self, arn: str, last_id: int) -> list[HistoryEvent]:
        """Read the events after the one with the id ``last_id``, newest first so that known ones are not read again."""
        pages = self._client.get_paginator("get_execution_history").paginate(
            executionArn=arn, reverseOrder=last_id > 0, PaginationConfig={"PageSize": 100 if last_id else 1000}
        )
        events: list[HistoryEvent] = []
        for raw in pages.search("events[]"):
            if last_id and raw["id"] <= last_id:
                break
            events.append(parse_history_event(raw))
        return sorted(events, key=lambda event: event.id)

    def _list_newest_first(self, machine: Machine, query: Query) -> Iterator[ExecutionSummary]:
        """List the executions of a machine by their start."""
        # Only an execution that succeeded has a response.
        filtered = query.status or (Status.SUCCEEDED if query.response is not None else None)
        status = {"statusFilter": filtered.value.upper().replace("-", "_")} if filtered else {}
        pages = self._client.get_paginator("list_executions").paginate(
            stateMachineArn=machine.arn, **status, PaginationConfig={"PageSize": min(query.limit + 100, 1000)}
        )
        summaries: Iterator[ExecutionSummary] = (_build_summary(machine, raw) for raw in pages.search("executions[]"))
        if query.since:
            since = query.since
            summaries = takewhile(lambda summary: (summary.stopped or summary.started) >= since, summaries)
        return sort_by_start(summaries)

    def _build_page(self, candidates: Iterable[ExecutionSummary], query: Query) -> Page:
        summaries: list[ExecutionSummary] = []
        examined = 0
        remaining = iter(candidates)
        last: ExecutionSummary | None = None
        with ThreadPoolExecutor(_MAX_CONCURRENCY) as pool:
            while len(summaries) < query.limit and examined < MAX_EXAMINED:
                batch = list(islice(remaining, _BATCH_SIZE))
                if not batch:
                    return Page(tuple(summaries), "")
                for summary, result in zip(batch, pool.map(self._read_result, batch), strict=True):
                    if len(summaries) < query.limit:
                        last = summary
                        # The execution may have ended since it was listed.
                        if query.matches(result.summary) and query.matches_content(result):
                            summaries.append(result.summary)
                examined += len(batch)
        has_more = last is not None and (last is not batch[-1] or next(remaining, None) is not None)
        return Page(tuple(summaries), build_page_token(last) if has_more and last else "")

    def _read_result(self, summary: ExecutionSummary) -> ExecutionResult:
        """Return the result of an execution, from the cache if it has ended."""
        result = self._get_cached(summary)
        if result is None:
            result = self.get_result(summary.arn)
            has_ended = result.summary.status is not Status.RUNNING
            if has_ended and len(result.input or "") + len(result.output or "") <= _MAX_CACHED_CHARACTERS:
                self._results[summary.arn] = result
                if len(self._results) > _MAX_CACHED:
                    self._results.pop(next(iter(self._results)), None)
        return result

    def _get_cached(self, summary: ExecutionSummary) -> ExecutionResult | None:
        """Return the result in the cache, unless the execution was redriven since then."""
        result = self._results.get(summary.arn)
        is_current = result and (result.summary.status, result.summary.stopped) == (summary.status, summary.stopped)
        return result if is_current else None


def sort_by_start(summaries: Iterable[ExecutionSummary]) -> Iterator[ExecutionSummary]:
    """Sort executions of a machine, as AWS lists them, by their start, in the order of their page tokens.

    AWS sorts those that have ended by their end, so each is held until no later one can have started after it, or in
    the same millisecond, in which the ARN decides.
    """
    held: list[ExecutionSummary] = []
    for summary in summaries:
        latest_start = summary.stopped or summary.started
        insort(held, summary, key=build_page_token)
        while held and to_millis(held[-1].started) > to_millis(latest_start):
            yield held.pop()
    yield from reversed(held)


def _build_summary(machine: Machine, raw: Any) -> ExecutionSummary:
    stopped = raw.get("stopDate")
    return ExecutionSummary(
        arn=raw["executionArn"],
        workflow=machine.workflow,
        status=Status.parse(raw["status"]),
        started=raw["startDate"].astimezone(UTC),
        stopped=stopped.astimezone(UTC) if stopped else None,
    )
