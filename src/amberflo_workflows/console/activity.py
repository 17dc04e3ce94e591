"""Statistics of a workflow's recent executions. Pure functions."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from amberflo_workflows.operate.executions.content import count_error_responses
from amberflo_workflows.operate.executions.model import ExecutionSummary, Status

SPAN: Final = timedelta(hours=1)
BAR_COUNT: Final = 12


@dataclass(frozen=True)
class ActivityBar:
    """The executions that started in one twelfth of the span, by status."""

    start: datetime
    good: int = 0
    bad: int = 0
    running: int = 0

    @property
    def total(self) -> int:
        return self.good + self.bad + self.running


@dataclass(frozen=True)
class Activity:
    """A workflow's executions within the span. ``error_responses`` counts those that succeeded by such a status.

    ``p50`` and ``p95`` are durations in seconds, ``None`` if no execution has ended. ``failures`` are the latest ones.
    """

    workflow: str
    counts: Mapping[Status, int]
    bars: Sequence[ActivityBar]
    p50: float | None
    p95: float | None
    failures: Sequence[ExecutionSummary]
    error_responses: Mapping[int, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def bad(self) -> int:
        """The number of executions that failed, timed out or were aborted."""
        return sum(count for status, count in self.counts.items() if status.is_failure)

    @property
    def rectangles(self) -> Iterator[tuple[int, float, float, str]]:
        """The bars as (x, y, height, ``good`` or ``bad``), in a drawing 10 units wide per bar and 29 units high."""
        scale = 28 / max([bar.total for bar in self.bars] + [1])
        for index, bar in enumerate(self.bars):
            good, x = bar.total - bar.bad, 10 * index + 1
            if good:
                yield x, round(29 - good * scale, 1), round(good * scale, 1), "good"
            if bar.bad:
                yield x, round(29 - bar.total * scale, 1), round(bar.bad * scale, 1), "bad"


def build_activity(
    workflow: str, summaries: Sequence[ExecutionSummary], now: datetime, max_failures: int = 3
) -> Activity:
    """Count a workflow's executions of the span that ends ``now``. ``summaries`` are newest first."""
    durations = sorted((summary.stopped - summary.started).total_seconds() for summary in summaries if summary.stopped)
    return Activity(
        workflow,
        _count_statuses(summaries),
        _build_bars(summaries, now),
        _quantile(durations, 0.5),
        _quantile(durations, 0.95),
        [summary for summary in summaries if summary.status.is_failure][:max_failures],
        count_error_responses(summary.response_status for summary in summaries),
    )


def _count_statuses(summaries: Sequence[ExecutionSummary]) -> dict[Status, int]:
    """Executions per status, bad statuses first."""
    counts = Counter(summary.status for summary in summaries)
    return dict(sorted(counts.items(), key=lambda entry: (not entry[0].is_failure, entry[0])))


def _build_bars(summaries: Sequence[ExecutionSummary], now: datetime) -> list[ActivityBar]:
    start, width = now - SPAN, SPAN / BAR_COUNT
    counters: list[Counter[str]] = [Counter() for _ in range(BAR_COUNT)]
    for summary in summaries:
        # An execution slightly outside of the span is counted at its edge.
        index = min(max(int((summary.started - start) / width), 0), BAR_COUNT - 1)
        kind = "running" if summary.status is Status.RUNNING else "bad" if summary.status.is_failure else "good"
        counters[index][kind] += 1
    return [ActivityBar(start + width * index, **counter) for index, counter in enumerate(counters)]


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that at least ``share`` of the values do not exceed, ``None`` if there are no values."""
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)] if ordered else None
