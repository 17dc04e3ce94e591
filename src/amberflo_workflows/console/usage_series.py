"""A usage report as series to draw and to tabulate: the largest groups, and the others as one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from amberflo_workflows.operate.usage_report import ADDITIVE, Group, MeterUsage, format_interval

MOST_SERIES: Final = 8
OTHERS: Final = "others"


@dataclass(frozen=True)
class Series:
    """One group, or all the others. ``values`` has one for each interval; ``look`` tells how it is drawn."""

    name: str
    total: float
    values: Sequence[float]
    look: int


@dataclass(frozen=True)
class Table:
    """Series over intervals. Where sums mean nothing, ``sums`` and ``total`` are absent."""

    intervals: Sequence[str]
    series: Sequence[Series]
    sums: Sequence[float] | None
    total: float | None
    left_out: int

    @property
    def is_empty(self) -> bool:
        """Whether nothing was used."""
        return not any(value for one in self.series for value in one.values)

    @property
    def rows(self) -> list[int]:
        """The intervals in which something was used."""
        return [place for place in range(len(self.intervals)) if any(one.values[place] for one in self.series)]


def build_table(usage: MeterUsage) -> Table:
    """The series of a report, the largest first; of what cannot be summed the smaller groups are left out."""
    can_sum = usage.meter.get("meterType") in ADDITIVE
    begins = sorted({one.begin for group in usage.groups for one in group.values})
    groups = sorted(usage.groups, key=lambda group: abs(group.total), reverse=True)
    shown, rest = groups[:MOST_SERIES], groups[MOST_SERIES:]
    series = [
        Series(group.name or "all usage", group.total, _values(group, begins), look) for look, group in enumerate(shown)
    ]
    if rest and can_sum:
        columns = [_values(group, begins) for group in rest]
        sums = [sum(column) for column in zip(*columns, strict=True)]
        series.append(Series(f"{len(rest)} {OTHERS}", sum(group.total for group in rest), sums, MOST_SERIES))
    means_something = can_sum or len(groups) <= 1
    return Table(
        intervals=[format_interval(begin, usage.interval) for begin in begins],
        series=series,
        sums=[sum(one.values[place] for one in series) for place in range(len(begins))] if means_something else None,
        total=sum(group.total for group in groups) if means_something else None,
        left_out=0 if can_sum else len(rest),
    )


def _values(group: Group, begins: Sequence[int]) -> list[float]:
    found = {one.begin: one.value for one in group.values}
    return [found.get(begin, 0.0) for begin in begins]
