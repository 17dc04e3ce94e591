"""Usage compared with that of the period before, which has as many intervals."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from amberflo_workflows.console.usage_series import UsageTable
from amberflo_workflows.operate.usage_report import MeterUsage, format_number


class Comparison(NamedTuple):
    """The totals of the period from ``start`` to ``end``, in epoch seconds, by the names of the groups."""

    start: int
    end: int
    totals: Mapping[str, float]

    @property
    def total(self) -> float:
        """The total of all groups, which has a meaning for meters whose groups can be added up."""
        return sum(self.totals.values())

    def describe(self, now: float, before: float) -> str:
        """Say how a total has changed: ``+20 (+25%)``."""
        change = now - before
        if not change:
            return "no change"
        sign = "+" if change > 0 else "-"
        share = f" ({sign}{abs(change) / abs(before) * 100:,.0f}%)" if before else ""
        return f"{sign}{format_number(abs(change))}{share}"


def find_period_before(table: UsageTable, interval: str) -> tuple[int, int]:
    """Return the period before that of a table with at least one interval, in epoch seconds.

    Its last second is one before the table's first interval, since a range is extended to full intervals.
    """
    first, count = table.starts[0], len(table.starts)
    if interval == "month":
        return _subtract_months(first, count), first - 1
    width = {"hour": 3600, "day": 86_400, "week": 604_800}[interval]
    return first - count * width, first - 1


def build_comparison(usage: MeterUsage) -> Comparison:
    """Build the comparison with the usage of the period before."""
    return Comparison(usage.start, usage.end + 1, {group.name: group.total for group in usage.groups})


def _subtract_months(seconds: int, months: int) -> int:
    time = datetime.fromtimestamp(seconds, UTC)
    month = time.year * 12 + time.month - 1 - months
    return int(time.replace(year=month // 12, month=month % 12 + 1).timestamp())
