"""Explain a number: the records that make up a tenant's usage of a meter."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from amberflo_workflows.core.usage_record import MAX_AHEAD_MILLIS, UsageRecord
from amberflo_workflows.operate.ledger.reader import LedgerEntry
from amberflo_workflows.operate.ledger.rules import Rules

# The clock of a sender may be ahead, so that its usage is in the ledger before its time.
AHEAD_SECONDS: Final = MAX_AHEAD_MILLIS // 1000


@dataclass
class CountedUsage:
    """A record, and the entries of the ledger that have it as counted, the earliest first.

    ``cancelled_by`` is the ARN of the execution or the id of the rule that cancelled it, or empty.
    """

    record: UsageRecord
    entries: list[LedgerEntry] = field(default_factory=list)
    cancelled_by: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the usage as an object for JSON."""
        return {
            "record": msgspec.to_builtins(self.record),
            "cancelledBy": self.cancelled_by or None,
            "counted": [
                {
                    "time": entry.time,
                    "eventId": entry.event_id,
                    "index": entry.index,
                    "executionArn": entry.execution_arn,
                    "receipt": key,
                }
                for entry, key in self.entries
            ],
        }


@dataclass
class Explanation:
    """The usages of a tenant and a meter in a range of time, in the order of their times."""

    usages: list[CountedUsage]

    @property
    def total(self) -> float:
        """The sum of the values that are not cancelled."""
        return math.fsum(usage.record.meter_value for usage in self.usages if not usage.cancelled_by)


def explain_usage(entries: Iterable[LedgerEntry], meter: str, tenant: str, start: int, end: int) -> Explanation:
    """Select from the ledger what was counted for a tenant and a meter between epoch seconds.

    ``entries`` are those written from ``AHEAD_SECONDS`` before ``start`` until now.
    """
    usages: dict[bytes, CountedUsage] = {}
    cancelled: dict[bytes, str] = {}
    rules = Rules()
    for ledger_entry in entries:
        entry = ledger_entry.entry
        rules.add(ledger_entry)
        if not entry.record:
            continue
        content = bytes(entry.record)
        record = msgspec.json.decode(content, type=UsageRecord)
        if not _is_of(record, meter, tenant, start, end):
            continue
        if entry.outcome == "cancelled":
            cancelled[content] = entry.execution_arn
        else:
            usages.setdefault(content, CountedUsage(record)).entries.append(ledger_entry)
    for content, usage in usages.items():
        usage.entries.sort(key=lambda ledger_entry: ledger_entry.time)
        usage.cancelled_by = cancelled.get(content) or _describe_rule(rules, usage)
    return Explanation(sorted(usages.values(), key=lambda usage: usage.record.meter_time_in_millis))


def _is_of(record: UsageRecord, meter: str, tenant: str, start: int, end: int) -> bool:
    return (
        record.meter_api_name == meter
        and record.customer_id == tenant
        and start * 1000 <= record.meter_time_in_millis < end * 1000
    )


def _describe_rule(rules: Rules, usage: CountedUsage) -> str:
    rule_id = rules.find(usage.record.meter_api_name, usage.entries[0].time)
    return f"rule {rule_id}" if rule_id else ""
