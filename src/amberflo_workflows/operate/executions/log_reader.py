"""Express executions on AWS, which are known from what they log: FilterLogEvents on the log groups of their machines.

Not Logs Insights, which is paid by what it scans and answers a few seconds late; the newest executions are in the
newest windows of time, which is all that a page needs. Where a machine logs errors only, only what failed is known.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Final

from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.executions.events import log_events
from amberflo_workflows.operate.executions.history import build_execution
from amberflo_workflows.operate.executions.machines import Machine, Machines
from amberflo_workflows.operate.executions.model import Execution, ExecutionSummary, HistoryEvent, LogLine
from amberflo_workflows.operate.executions.reader import NoSuchExecution, Page, Query, token
from amberflo_workflows.operate.executions.task_logs import task_log_lines
from amberflo_workflows.operate.executions.throttling import retry_throttled

# An express execution lasts five minutes at most.
LONGEST: Final = timedelta(minutes=5)
LISTED_BACK_TO: Final = timedelta(days=1)
FOUND_BACK_TO: Final = timedelta(days=30)
_FIRST_WINDOW: Final = timedelta(minutes=10)
_WIDENED_BY: Final = 12
_AT_ONCE: Final = 4
_BEGIN_OR_END: Final = ("Started", "Succeeded", "Failed", "TimedOut", "Aborted")
_BEGIN_OR_END_PATTERN: Final = " || ".join(f'($.type = "Execution{how}")' for how in _BEGIN_OR_END)

Window = tuple[datetime, datetime]


class LogReader:
    """Reads the log groups of express machines."""

    def __init__(self, deployment: Deployment, machines: Machines, readable: Sequence[Machine]) -> None:
        self._deployment = deployment
        self._machines = machines
        self._readable = readable
        self._client = retry_throttled(deployment.client("logs"), "FilterLogEvents")

    def page(self, query: Query) -> Page:
        """Executions that were asked for, of the last day if it is not said since when."""
        machines = [machine for machine in self._readable if query.workflow in {None, machine.workflow}]
        until = min(query.until or _now(), _moment(query.before) or _now())
        found: list[ExecutionSummary] = []
        for window in windows(until, query.since or until - LISTED_BACK_TO):
            found += self._within(window, machines, query)
            if len(found) > query.limit:
                page = tuple(found[: query.limit])
                return Page(page, token(page[-1]))
        return Page(tuple(found), "")

    def recent(self, query: Query) -> Sequence[ExecutionSummary]:
        """Executions that were asked for; their inputs are in the same log events, so they come with them."""
        return self.page(query).summaries

    def get(self, arn: str) -> Execution:
        """An execution whole. Raises :class:`NoSuchExecution`; what is younger than a minute may not be logged yet."""
        machine = self._machines.of_execution(arn)
        now = _now()
        for window in windows(now, now - FOUND_BACK_TO):
            events = [event for _, event in self._events(machine, f'$.execution_arn = "{arn}"', window, arn)]
            if events:
                return build_execution(arn, machine.workflow, events, machine.graph)
        raise NoSuchExecution(
            f"Nothing is logged of {arn}. It takes up to a minute; of a workflow that logs errors only, what went well "
            "is not logged."
        )

    def log_lines(self, execution: Execution) -> Iterator[LogLine]:
        """What its tasks logged, oldest first."""
        machine = self._machines.of_execution(execution.summary.arn)
        return task_log_lines(self._deployment, machine, execution)

    def _within(self, window: Window, machines: Sequence[Machine], query: Query) -> list[ExecutionSummary]:
        def of(machine: Machine) -> Iterable[ExecutionSummary]:
            return self._summaries(machine, window, query)

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = [summary for summaries in pool.map(of, machines) for summary in summaries]
        return sorted(found, key=token, reverse=True)

    def _summaries(self, machine: Machine, window: Window, query: Query) -> list[ExecutionSummary]:
        by_arn: dict[str, list[HistoryEvent]] = defaultdict(list)
        for arn, event in self._events(machine, _BEGIN_OR_END_PATTERN, window):
            if event.type.startswith("Execution"):
                by_arn[arn].append(event)
        found = [build_execution(arn, machine.workflow, events) for arn, events in by_arn.items()]
        return [
            one.summary
            for one in found
            if window[0] <= one.summary.started < window[1]
            and query.wants(one.summary)
            and query.text in (one.input or "")
        ]

    def _events(
        self, machine: Machine, pattern: str, window: Window, only: str | None = None
    ) -> Iterator[tuple[str, HistoryEvent]]:
        """Events in a window of time and around it, so that no execution is cut in two."""
        if machine.log_group is None:
            return
        pages = self._client.get_paginator("filter_log_events").paginate(
            logGroupName=machine.log_group,
            filterPattern=f"{{ {pattern} }}",
            startTime=_millis(window[0] - LONGEST),
            endTime=_millis(window[1] + LONGEST),
        )
        for line in pages.search("events[]"):
            logged = log_events(line["message"])
            if logged and only in {None, logged.arn}:
                yield logged


def windows(until: datetime, since: datetime) -> Iterator[Window]:
    """From the newest backwards, each wider than the one before: what is looked for is mostly new."""
    width, end = _FIRST_WINDOW, until
    while end > since:
        begin = max(end - width, since)
        yield begin, end
        width, end = width * _WIDENED_BY, begin


def _moment(page_token: str) -> datetime | None:
    """The first moment that is not before a page."""
    if not page_token:
        return None
    return datetime.fromtimestamp(int(page_token.split(maxsplit=1)[0]) / 1000, UTC) + timedelta(milliseconds=1)


def _millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _now() -> datetime:
    return datetime.now(UTC)
