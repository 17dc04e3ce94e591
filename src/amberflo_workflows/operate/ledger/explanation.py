"""Explain a number: the records that make up a tenant's usage of a meter."""

from dataclasses import dataclass
from typing import Any

import msgspec

from amberflo_workflows.core.ledger.store import LedgerStore
from amberflo_workflows.core.ledger.totals import ExactSum
from amberflo_workflows.core.ledger.usages import LedgerUsage, UsageReader


@dataclass
class Explanation:
    """The usages of a tenant and a meter in a range of time, in the order of their times."""

    usages: list[LedgerUsage]

    @property
    def total(self) -> float:
        """The sum of the values that are not cancelled."""
        total = ExactSum()
        for usage in self.usages:
            if not usage.cancelled_by:
                total.add(usage.record.meter_value)
        return total.value


def explain_usage(store: LedgerStore, meter: str, tenant: str, start: int, end: int) -> Explanation:
    """Select from the ledger what was counted for a tenant and a meter between epoch seconds."""
    usages = UsageReader(store, start, end).read()
    return Explanation(
        [usage for usage in usages if usage.record.meter_api_name == meter and usage.record.customer_id == tenant]
    )


def describe_usage(usage: LedgerUsage) -> dict[str, Any]:
    """Return a usage as an object for JSON."""
    return {
        "record": msgspec.to_builtins(usage.record),
        "cancelledBy": usage.cancelled_by or None,
        "counted": [
            {
                "time": entry.time,
                "eventId": entry.event_id,
                "index": entry.index,
                "executionArn": entry.execution_arn,
                "receipt": entry.receipt,
            }
            for entry in usage.counted
        ],
    }
