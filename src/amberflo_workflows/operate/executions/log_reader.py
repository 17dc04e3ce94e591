"""Read express executions on AWS from the logs of their state machines, with FilterLogEvents.

Logs Insights is not used: it charges for the data that it scans, and its results are a few seconds late. A page needs
the newest executions only, which are in the newest windows of time. If a state machine logs errors only, only failed
executions are known.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Final

from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.executions.events import LoggedEvent, parse_log_event
from amberflo_workflows.operate.executions.history import build_execution
from amberflo_workflows.operate.executions.machines import Machine, Machines
from amberflo_workflows.operate.executions.model import Execution, ExecutionSummary, HistoryEvent, LogLine
from amberflo_workflows.operate.executions.reader import (
    NoSuchExecution,
    Page,
    Query,
    build_page_token,
    parse_page_time,
    to_millis,
)
from amberflo_workflows.operate.executions.task_logs import fetch_task_log_lines
from amberflo_workflows.operate.executions.throttling import retry_throttled

# The maximum duration of an express execution.
MAX_DURATION: Final = timedelta(minutes=5)
DEFAULT_LIST_PERIOD: Final = timedelta(days=1)
SEARCH_PERIOD: Final = timedelta(days=30)
_FIRST_WINDOW: Final = timedelta(minutes=10)
_WINDOW_GROWTH: Final = 12
_MAX_CONCURRENCY: Final = 4
_START_AND_END_TYPES: Final = ("Started", "Succeeded", "Failed", "TimedOut", "Aborted")
_START_AND_END_PATTERN: Final = " || ".join(f'($.type = "Execution{name}")' for name in _START_AND_END_TYPES)

Window = tuple[datetime, datetime]


class LogReader:
    """Reads the log groups of express state machines."""

    def __init__(self, deployment: Deployment, machines: Machines, readable: Sequence[Machine]) -> None:
        self._deployment = deployment
        self._machines = machines
        self._readable = readable
        self._client = retry_throttled(deployment.client("logs"), "FilterLogEvents")

    def list_page(self, query: Query) -> Page:
        """List executions, by default of the last day."""
        machines = [machine for machine in self._readable if query.workflow in {None, machine.workflow}]
        until = min(query.until or _now(), _parse_page_time(query.page_token) or _now())
        summaries: list[ExecutionSummary] = []
        for window in split_into_windows(until, query.since or until - DEFAULT_LIST_PERIOD):
            summaries += self._list_window(window, machines, query)
            if len(summaries) > query.limit:
                page = tuple(summaries[: query.limit])
                return Page(page, build_page_token(page[-1]))
        return Page(tuple(summaries), "")

    def list_recent(self, query: Query, max_reads: int) -> Sequence[ExecutionSummary]:  # noqa: ARG002 - of the interface
        """List executions, with the preview of their input and their response, which are in the same log events."""
        return self.list_page(query).summaries

    def get(self, arn: str) -> Execution:
        """Read an execution with its history.

        Raises :class:`NoSuchExecution`, also if it is not logged yet, which takes up to a minute.
        """
        machine = self._machines.get_by_execution(arn)
        now = _now()
        for window in split_into_windows(now, now - SEARCH_PERIOD):
            logged = self._read_events(machine, f'$.execution_arn = "{arn}"', window)
            events = [event for event_arn, event in logged if event_arn == arn]
            if events:
                return build_execution(arn, machine.workflow, events, machine.graph)
        raise NoSuchExecution(
            f"Execution {arn} was not found in the log. Logging takes up to a minute; a workflow that logs errors only "
            "does not log successful executions.",
            see="executions list",
        )

    def read_log_lines(self, execution: Execution) -> Iterator[LogLine]:
        """Read the lines that its tasks logged, oldest first."""
        machine = self._machines.get_by_execution(execution.summary.arn)
        return fetch_task_log_lines(self._deployment, machine, execution)

    def _list_window(self, window: Window, machines: Sequence[Machine], query: Query) -> list[ExecutionSummary]:
        with ThreadPoolExecutor(_MAX_CONCURRENCY) as pool:
            lists = pool.map(lambda machine: self._list_machine(machine, window, query), machines)
            return sorted((summary for summaries in lists for summary in summaries), key=build_page_token, reverse=True)

    def _list_machine(self, machine: Machine, window: Window, query: Query) -> list[ExecutionSummary]:
        events_by_arn: dict[str, list[HistoryEvent]] = defaultdict(list)
        for arn, event in self._read_events(machine, _START_AND_END_PATTERN, window):
            if event.type.startswith("Execution"):
                events_by_arn[arn].append(event)
        executions = [build_execution(arn, machine.workflow, events) for arn, events in events_by_arn.items()]
        return [
            execution.summary
            for execution in executions
            if window[0] <= execution.summary.started < window[1]
            and query.matches(execution.summary)
            and query.matches_content(execution)
        ]

    def _read_events(self, machine: Machine, pattern: str, window: Window) -> Iterator[LoggedEvent]:
        """Read the events in a window and shortly before and after it, so that executions in it are complete."""
        if machine.log_group is None:
            return
        pages = self._client.get_paginator("filter_log_events").paginate(
            logGroupName=machine.log_group,
            filterPattern=f"{{ {pattern} }}",
            startTime=to_millis(window[0] - MAX_DURATION),
            endTime=to_millis(window[1] + MAX_DURATION),
        )
        for line in pages.search("events[]"):
            logged = parse_log_event(line["message"])
            if logged:
                yield logged


def split_into_windows(until: datetime, since: datetime) -> Iterator[Window]:
    """Split a period into windows, newest first, each wider than the one before: most reads are of new executions."""
    width, end = _FIRST_WINDOW, until
    while end > since:
        begin = max(end - width, since)
        yield begin, end
        width, end = width * _WINDOW_GROWTH, begin


def _parse_page_time(page_token: str) -> datetime | None:
    """Return a time after all executions of the next page; ``None`` for the first page."""
    if not page_token:
        return None
    return parse_page_time(page_token) + timedelta(milliseconds=1)


def _now() -> datetime:
    return datetime.now(UTC)
