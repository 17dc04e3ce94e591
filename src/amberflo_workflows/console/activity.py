"""What a workflow did lately, in numbers. Pure."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from amberflo_workflows.operate.executions.model import ExecutionSummary, Status

SPAN: Final = timedelta(hours=1)
BARS: Final = 12


@dataclass(frozen=True)
class ActivityBar:
    """A twelfth of the span: how many executions began in it, and how many of these went well, badly, or go on."""

    begin: datetime
    good: int = 0
    bad: int = 0
    running: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.good + self.bad + self.running


@dataclass(frozen=True)
class Activity:
    """Of one workflow within the span; durations in seconds, ``None`` where nothing ended. ``worst`` are failures."""

    workflow: str
    counts: Mapping[Status, int]
    bars: Sequence[ActivityBar]
    p50: float | None
    p95: float | None
    worst: Sequence[ExecutionSummary]

    @property
    def total(self) -> int:
        """All executions."""
        return sum(self.counts.values())

    @property
    def bad(self) -> int:
        """Those that ended otherwise than they should."""
        return sum(count for status, count in self.counts.items() if status.is_bad)

    @property
    def drawn(self) -> Iterator[tuple[int, float, float, str]]:
        """The bars as rectangles: x, y, height and what they stand for, in a field 10 wide for each and 29 high."""
        high = 28 / max([bar.total for bar in self.bars] + [1])
        for index, bar in enumerate(self.bars):
            fine, x = bar.total - bar.bad, 10 * index + 1
            if fine:
                yield x, round(29 - fine * high, 1), round(fine * high, 1), "good"
            if bar.bad:
                yield x, round(29 - bar.total * high, 1), round(bar.bad * high, 1), "bad"


def activity(workflow: str, summaries: Sequence[ExecutionSummary], now: datetime, worst: int = 3) -> Activity:
    """Count a workflow's executions of the span before ``now``, newest first."""
    took = sorted((one.stopped - one.started).total_seconds() for one in summaries if one.stopped)
    return Activity(
        workflow,
        _counts(summaries),
        _bars(summaries, now),
        _quantile(took, 0.5),
        _quantile(took, 0.95),
        [one for one in summaries if one.status.is_bad][:worst],
    )


def _counts(summaries: Sequence[ExecutionSummary]) -> dict[Status, int]:
    """How many ended how, the bad ones first."""
    counted = Counter(one.status for one in summaries)
    return dict(sorted(counted.items(), key=lambda entry: (not entry[0].is_bad, entry[0])))


def _bars(summaries: Sequence[ExecutionSummary], now: datetime) -> list[ActivityBar]:
    begin, width = now - SPAN, SPAN / BARS
    found: list[Counter[str]] = [Counter() for _ in range(BARS)]
    for one in summaries:
        index = min(max(int((one.started - begin) / width), 0), BARS - 1)
        found[index]["running" if one.status is Status.RUNNING else "bad" if one.status.is_bad else "good"] += 1
    return [ActivityBar(begin + width * index, **counted) for index, counted in enumerate(found)]


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that at least this share of them does not exceed."""
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)] if ordered else None
