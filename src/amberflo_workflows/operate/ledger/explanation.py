"""Explain a number: the records that make up a tenant's usage of a meter."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any, Final

import msgspec
from msgspec import Struct

from amberflo_workflows.core.usage_record import MAX_AHEAD_MILLIS, UsageRecord
from amberflo_workflows.operate.ledger.receipts import LedgerEntry

# The clock of a sender may be ahead, so that its usage is in the ledger before its time.
AHEAD_SECONDS: Final = MAX_AHEAD_MILLIS // 1000


class IngestionRange(Struct, rename="camel"):
    """Start (inclusive) and end, in epoch seconds."""

    start_time_in_seconds: int
    end_time_in_seconds: int


class Rule(Struct, rename="camel"):
    """A rule that cancels a meter's usage by the time of its ingestion."""

    id: str
    meter_api_name: str
    ingestion_time_range: IngestionRange

    def cancels(self, meter: str, ingested: datetime) -> bool:
        """Whether the rule cancels usage of a meter that was ingested at this time."""
        time_range = self.ingestion_time_range
        is_in_range = time_range.start_time_in_seconds <= ingested.timestamp() < time_range.end_time_in_seconds
        return meter == self.meter_api_name and is_in_range


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
    rules: dict[str, tuple[datetime, Rule]] = {}
    for ledger_entry in entries:
        entry = ledger_entry.entry
        if entry.rule:
            rule = msgspec.json.decode(entry.rule, type=Rule)
            dated = (ledger_entry.time, rule)
            # A rule replaces the one with its id. The order of the objects of the ledger is not that of their entries.
            rules[rule.id] = max(rules.get(rule.id, dated), dated, key=itemgetter(0))
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
        usage.cancelled_by = cancelled.get(content) or next(_list_rules(usage, rules.values()), "")
    return Explanation(sorted(usages.values(), key=lambda usage: usage.record.meter_time_in_millis))


def _is_of(record: UsageRecord, meter: str, tenant: str, start: int, end: int) -> bool:
    return (
        record.meter_api_name == meter
        and record.customer_id == tenant
        and start * 1000 <= record.meter_time_in_millis < end * 1000
    )


def _list_rules(usage: CountedUsage, rules: Iterable[tuple[datetime, Rule]]) -> Iterator[str]:
    """List the rules that cancel a usage.

    Amberflo has a record since it was first ingested, which its receipts tell to about a second.
    """
    for _, rule in rules:
        if rule.cancels(usage.record.meter_api_name, usage.entries[0].time):
            yield f"rule {rule.id}"
