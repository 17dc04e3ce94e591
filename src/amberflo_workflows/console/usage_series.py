"""A usage report as series for the chart and the table: the largest groups, and all others as one series."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from amberflo_workflows.core.meter import ADDITIVE_METER_TYPES
from amberflo_workflows.operate.usage_report import Group, MeterUsage, format_interval

MAX_SERIES: Final = 8
OTHERS: Final = "others"
_SECONDS: Final = {"HOUR": 3600, "DAY": 86_400, "WEEK": 604_800, "MONTH": 31 * 86_400}


@dataclass(frozen=True)
class UsageSeries:
    """One group, or all other groups. ``values`` has one value per interval; ``style`` numbers the fill pattern.

    ``labels`` are what a group has in common.
    """

    name: str
    total: float
    values: Sequence[float]
    style: int
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class UsageTable:
    """Series over intervals, which start at ``starts`` in epoch seconds.

    ``sums`` and ``total`` are ``None`` if the groups cannot be added up.
    ``hidden_groups`` counts smaller groups that are in no series. ``unfinished`` is the index of the interval that is
    not over, if there is one.
    """

    starts: Sequence[int]
    intervals: Sequence[str]
    series: Sequence[UsageSeries]
    sums: Sequence[float] | None
    total: float | None
    hidden_groups: int
    unfinished: int | None = None

    @property
    def is_empty(self) -> bool:
        return not any(value for series in self.series for value in series.values)

    @property
    def rows(self) -> list[int]:
        """The indexes of the intervals with usage."""
        return [index for index in range(len(self.intervals)) if any(series.values[index] for series in self.series)]


def build_table(usage: MeterUsage, now: int | None = None) -> UsageTable:
    """Build the series of a report, the largest first; ``now`` is in epoch seconds, by default after all of it.

    The smallest groups become one series; if they cannot be added up, they get no series.
    """
    can_sum = usage.meter.get("meterType") in ADDITIVE_METER_TYPES
    starts = sorted({value.begin for group in usage.groups for value in group.values})
    groups = sorted(usage.groups, key=lambda group: abs(group.total), reverse=True)
    largest, rest = groups[:MAX_SERIES], groups[MAX_SERIES:]
    series = [
        UsageSeries(group.name or "all usage", group.total, _values_by_interval(group, starts), style, group.labels)
        for style, group in enumerate(largest)
    ]
    if rest and can_sum:
        columns = [_values_by_interval(group, starts) for group in rest]
        sums = [sum(column) for column in zip(*columns, strict=True)]
        series.append(UsageSeries(f"{len(rest)} {OTHERS}", sum(group.total for group in rest), sums, MAX_SERIES))
    has_total = can_sum or len(groups) <= 1
    return UsageTable(
        starts=starts,
        intervals=[format_interval(start, usage.interval) for start in starts],
        series=series,
        sums=[sum(entry.values[index] for entry in series) for index in range(len(starts))] if has_total else None,
        total=sum(group.total for group in groups) if has_total else None,
        hidden_groups=0 if can_sum else len(rest),
        unfinished=_find_unfinished(starts, usage.interval, now),
    )


def _find_unfinished(starts: Sequence[int], interval: str, now: int | None) -> int | None:
    """Return the index of the last interval if it has the time ``now``."""
    if now is None or not starts or now < starts[-1]:
        return None
    # The next interval starts after as many seconds; a month has at most 31 days.
    end = starts[-1] + _SECONDS[interval]
    if interval == "MONTH":
        end = int(datetime.fromtimestamp(end, UTC).replace(day=1).timestamp())
    return len(starts) - 1 if now < end else None


def _values_by_interval(group: Group, starts: Sequence[int]) -> list[float]:
    values = {value.begin: value.value for value in group.values}
    return [values.get(start, 0.0) for start in starts]
