"""The timeline of an execution: a row of bars for each state run, attempt and item. Positions are percentages."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from amberflo_workflows.console.views import format_count, format_duration
from amberflo_workflows.operate.executions.model import Execution, Iteration, StateRun, Status, TaskAttempt

MAX_ITERATIONS: Final = 10
# The minimum width of a bar, so that very short runs are visible.
_MIN_WIDTH: Final = 0.4


@dataclass(frozen=True)
class TimelineBar:
    """A bar in a row. ``kind`` is a status or ``wait``; ``left`` and ``width`` are percentages."""

    kind: str
    left: float
    width: float


@dataclass(frozen=True)
class TimelineRow:
    """A row. The row of a state run has its ``state``, that of an item ``iteration`` (``STATE:INDEX``) or ``arn``."""

    label: str
    status: Status
    bars: tuple[TimelineBar, ...]
    seconds: float
    note: str = ""
    state: str = ""
    iteration: str = ""
    arn: str = ""


@dataclass(frozen=True)
class Timeline:
    """The time from the start of an execution to its end, or to now while it runs."""

    start: datetime
    end: datetime

    @classmethod
    def of(cls, execution: Execution) -> "Timeline":
        """Create the timeline of an execution."""
        return cls(execution.summary.started, execution.summary.stopped or datetime.now(UTC))

    def rows(self, runs: Sequence[StateRun]) -> Iterator[TimelineRow]:
        """The rows of state runs, each followed by its attempts if there were several, and by its items."""
        for run in runs:
            yield self._build_run(run)
            if len(run.tries) > 1:
                yield from (self._build_attempt(number, attempt) for number, attempt in enumerate(run.tries, start=1))
            if run.map:
                iterations = failed_first(run.map.iterations)[:MAX_ITERATIONS]
                yield from (self._build_iteration(run.name, iteration) for iteration in iterations)

    def _build_run(self, run: StateRun) -> TimelineRow:
        bars = [self._build_bar(run.status.value, run.entered, run.exited)]
        if run.tries:
            bars = [self._build_bar(attempt.status.value, attempt.start, attempt.end) for attempt in run.tries]
            bars += [self._build_wait(attempt) for attempt in run.tries if attempt.wait_seconds is not None]
        waited = sum(attempt.wait_seconds or 0 for attempt in run.tries)
        notes = [f"{len(run.tries)} attempts"] if len(run.tries) > 1 else []
        notes += [f"{format_duration(waited)} between attempts"] if waited else []
        notes += [run.error] if run.error else []
        items = len(run.map.iterations) if run.map else 0
        notes += [f"{MAX_ITERATIONS} of {format_count(items, 'item')} shown"] if items > MAX_ITERATIONS else []
        seconds = self._seconds(run.entered, run.exited)
        return TimelineRow(run.name, run.status, tuple(bars), seconds, ", ".join(notes), state=run.name)

    def _build_attempt(self, number: int, attempt: TaskAttempt) -> TimelineRow:
        bars = [self._build_bar(attempt.status.value, attempt.start, attempt.end)]
        notes = [attempt.error] if attempt.error else []
        if attempt.wait_seconds is not None:
            bars.append(self._build_wait(attempt))
            notes.append(f"retried after {format_duration(attempt.wait_seconds)}")
        seconds = self._seconds(attempt.start, attempt.end)
        return TimelineRow(f"attempt {number}", attempt.status, tuple(bars), seconds, ", ".join(notes))

    def _build_iteration(self, state: str, iteration: Iteration) -> TimelineRow:
        bar = self._build_bar(iteration.status.value, iteration.started, iteration.ended)
        seconds = self._seconds(iteration.started, iteration.ended)
        target = {"arn": iteration.arn} if iteration.arn else {"iteration": f"{state}:{iteration.index}"}
        return TimelineRow(f"item {iteration.index}", iteration.status, (bar,), seconds, **target)

    def _build_wait(self, attempt: TaskAttempt) -> TimelineBar:
        left = self._position(attempt.end or self.end)
        width = (attempt.wait_seconds or 0) / self._total_seconds * 100
        return TimelineBar("wait", left, round(min(width, 100 - left), 2))

    def _build_bar(self, kind: str, start: datetime, end: datetime | None) -> TimelineBar:
        left = min(self._position(start), 100 - _MIN_WIDTH)
        return TimelineBar(kind, left, round(max(self._position(end or self.end) - left, _MIN_WIDTH), 2))

    def _position(self, time: datetime) -> float:
        return round(min(max((time - self.start).total_seconds() / self._total_seconds * 100, 0), 100), 2)

    def _seconds(self, start: datetime, end: datetime | None) -> float:
        return ((end or self.end) - start).total_seconds()

    @property
    def _total_seconds(self) -> float:
        return max((self.end - self.start).total_seconds(), 0.001)


def failed_first(iterations: Sequence[Iteration]) -> list[Iteration]:
    """Sort iterations by index, with those that failed before the others."""
    return sorted(iterations, key=lambda iteration: (not iteration.status.is_failure, iteration.index))
