"""Add up the usage of a ledger: what each tenant has used of each meter in each hour."""

import math
import sys
from collections.abc import Iterable
from typing import NamedTuple

from amberflo_workflows.core.ledger.layout import start_of_hour
from amberflo_workflows.core.ledger.usages import LedgerUsage


class Hour(NamedTuple):
    """A meter, a tenant, and an hour by its start in epoch seconds."""

    meter: str
    tenant: str
    start: int


class ExactSum:
    """A sum that is rounded once, whatever the order of its values. Unlike ``math.fsum`` it needs no list of them.

    Doubles are added up as a few doubles that do not overlap: J. R. Shewchuk, "Adaptive Precision Floating-Point
    Arithmetic", 1997.
    """

    # There may be half a million of them.
    __slots__ = ("_parts", "_whole")

    def __init__(self) -> None:
        self._whole = 0
        self._parts: list[float] = []

    def add(self, value: int | float) -> None:
        """Add a finite value."""
        if isinstance(value, int):
            self._whole += value
            return
        parts = []
        for part in self._parts:
            large, small = (value, part) if abs(value) >= abs(part) else (part, value)
            value = large + small
            rest = small - (value - large)
            # Beyond the largest double there is no rest.
            if rest and math.isfinite(value):
                parts.append(rest)
        self._parts = [*parts, value]

    @property
    def value(self) -> float:
        """The sum; if it is larger than any double, the largest."""
        try:
            total = math.fsum([*self._parts, self._whole])
        except OverflowError:
            total = sum(self._parts) + self._whole
        return max(-sys.float_info.max, min(total, sys.float_info.max))


class HourTotal:
    """The sum of an hour without what was cancelled, and when an entry of it was last written, in ISO 8601."""

    __slots__ = ("_sum", "changed")

    def __init__(self) -> None:
        self._sum = ExactSum()
        self.changed = ""

    def add(self, usage: LedgerUsage) -> None:
        """Add a usage, which may be cancelled."""
        self.changed = max(self.changed, usage.changed)
        if not usage.cancelled_by:
            self._sum.add(usage.record.meter_value)

    @property
    def value(self) -> float:
        """The sum."""
        return self._sum.value


def add_up(usages: Iterable[LedgerUsage]) -> dict[Hour, HourTotal]:
    """Return the total of each hour that has usage."""
    totals: dict[Hour, HourTotal] = {}
    for usage in usages:
        record = usage.record
        hour = Hour(record.meter_api_name, record.customer_id, start_of_hour(record.meter_time_in_millis // 1000))
        total = totals.get(hour)
        if total is None:
            total = totals[hour] = HourTotal()
        total.add(usage)
    return totals
