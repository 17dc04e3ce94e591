"""Add up the ledger: what each tenant has used of each meter in each hour."""

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from amberflo_workflows.core.usage_record import UsageRecord
from amberflo_workflows.operate.ledger.reader import LedgerEntry
from amberflo_workflows.operate.ledger.rules import Rules

HOUR_SECONDS: Final = 3600


class Hour(NamedTuple):
    """A meter, a tenant, and an hour by its start in epoch seconds."""

    meter: str
    tenant: str
    start: int


class _Counted(NamedTuple):
    hour: Hour
    value: float
    ingested: datetime


@dataclass
class LedgerTotals:
    """The sum of distinct records by hour. About 300 bytes of memory for each record."""

    _counted: dict[bytes, _Counted] = field(default_factory=dict)
    _cancelled: set[bytes] = field(default_factory=set)
    _rules: Rules = field(default_factory=Rules)

    def add(self, entries: Iterable[LedgerEntry], start: int, end: int) -> None:
        """Add the usage between epoch seconds. The entries can come in any order, and more than once."""
        for ledger_entry in entries:
            entry = ledger_entry.entry
            self._rules.add(ledger_entry)
            if not entry.record:
                continue
            content = bytes(entry.record)
            record = msgspec.json.decode(content, type=UsageRecord)
            if not start * 1000 <= record.meter_time_in_millis < end * 1000:
                continue
            digest = hashlib.blake2b(content, digest_size=16).digest()
            if entry.outcome == "cancelled":
                self._cancelled.add(digest)
            else:
                self._add_record(digest, record, ledger_entry.time)

    def compute(self) -> dict[Hour, float]:
        """Return the sum of each hour, without what was cancelled."""
        values: dict[Hour, list[float]] = defaultdict(list)
        for digest, counted in self._counted.items():
            if digest not in self._cancelled and not self._rules.find(counted.hour.meter, counted.ingested):
                values[counted.hour].append(counted.value)
        return {hour: math.fsum(hour_values) for hour, hour_values in values.items()}

    def _add_record(self, digest: bytes, record: UsageRecord, ingested: datetime) -> None:
        earlier = self._counted.get(digest)
        if earlier is None:
            start = record.meter_time_in_millis // 1000 // HOUR_SECONDS * HOUR_SECONDS
            hour = Hour(record.meter_api_name, record.customer_id, start)
            self._counted[digest] = _Counted(hour, record.meter_value, ingested)
        elif ingested < earlier.ingested:
            self._counted[digest] = earlier._replace(ingested=ingested)
