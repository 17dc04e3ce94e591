"""The timeline: for each passage, try and item a row of bars, in per cent of the whole."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from amberflo_workflows.console.views import duration
from amberflo_workflows.operate.executions.model import Execution, Iteration, StateRun, Status, TaskAttempt

ITERATIONS_SHOWN: Final = 10
# So that what took no time is seen too.
_NARROWEST: Final = 0.4


@dataclass(frozen=True)
class TimelineBar:
    """A piece of a row: ``kind`` is an outcome, or ``wait``; both numbers are per cent."""

    kind: str
    left: float
    width: float


@dataclass(frozen=True)
class TimelineRow:
    """A row; a passage has its ``state``, an item of a Map its ``iteration`` (``STATE:N``) or an ``arn`` of its own."""

    label: str
    status: Status
    bars: tuple[TimelineBar, ...]
    took: float
    note: str = ""
    state: str = ""
    iteration: str = ""
    arn: str = ""


@dataclass(frozen=True)
class TimelineLine:
    """The time that an execution took, until ``now`` if it goes on."""

    begin: datetime
    end: datetime

    @classmethod
    def of(cls, execution: Execution) -> "TimelineLine":
        """From its start."""
        return cls(execution.summary.started, execution.summary.stopped or datetime.now(UTC))

    def rows(self, states: Sequence[StateRun]) -> Iterator[TimelineRow]:
        """Of passages through states."""
        for state in states:
            yield self._state(state)
            if len(state.tries) > 1:
                yield from (self._try(number, one) for number, one in enumerate(state.tries, start=1))
            if state.map:
                shown = worst_first(state.map.iterations)[:ITERATIONS_SHOWN]
                yield from (self._iteration(state.name, one) for one in shown)

    def _state(self, state: StateRun) -> TimelineRow:
        bars = [self._bar(state.status.value, state.entered, state.exited)]
        if state.tries:
            bars = [self._bar(one.status.value, one.start, one.end) for one in state.tries]
            bars += [self._wait(one) for one in state.tries if one.wait_seconds is not None]
        waited = sum(one.wait_seconds or 0 for one in state.tries)
        notes = [f"{len(state.tries)} tries"] if len(state.tries) > 1 else []
        notes += [f"{duration(waited)} of it waiting"] if waited else []
        notes += [state.error] if state.error else []
        items = len(state.map.iterations) if state.map else 0
        notes += [f"{ITERATIONS_SHOWN} of {items:,} items are shown"] if items > ITERATIONS_SHOWN else []
        took = self._seconds(state.entered, state.exited)
        return TimelineRow(state.name, state.status, tuple(bars), took, ", ".join(notes), state=state.name)

    def _try(self, number: int, one: TaskAttempt) -> TimelineRow:
        wait = one.wait_seconds
        bars = [self._bar(one.status.value, one.start, one.end), *([self._wait(one)] if wait is not None else [])]
        notes = [one.error] if one.error else []
        notes += [f"then {duration(wait)} of waiting"] if wait is not None else []
        return TimelineRow(
            f"try {number}", one.status, tuple(bars), self._seconds(one.start, one.end), ", ".join(notes)
        )

    def _iteration(self, state: str, one: Iteration) -> TimelineRow:
        bar = self._bar(one.status.value, one.started, one.ended)
        took = self._seconds(one.started, one.ended)
        opens = {"arn": one.arn} if one.arn else {"iteration": f"{state}:{one.index}"}
        return TimelineRow(f"item {one.index}", one.status, (bar,), took, **opens)

    def _wait(self, one: TaskAttempt) -> TimelineBar:
        end = one.end or self.end
        left, share = self._share(end), (one.wait_seconds or 0) / self._whole * 100
        return TimelineBar("wait", left, round(min(share, 100 - left), 2))

    def _bar(self, kind: str, begin: datetime, end: datetime | None) -> TimelineBar:
        left = min(self._share(begin), 100 - _NARROWEST)
        return TimelineBar(kind, left, round(max(self._share(end or self.end) - left, _NARROWEST), 2))

    def _share(self, at: datetime) -> float:
        return round(min(max((at - self.begin).total_seconds() / self._whole * 100, 0), 100), 2)

    def _seconds(self, begin: datetime, end: datetime | None) -> float:
        return ((end or self.end) - begin).total_seconds()

    @property
    def _whole(self) -> float:
        return max((self.end - self.begin).total_seconds(), 0.001)


def worst_first(iterations: Sequence[Iteration]) -> list[Iteration]:
    """The bad ones before the others."""
    return sorted(iterations, key=lambda one: (not one.status.is_bad, one.index))
