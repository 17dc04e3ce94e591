"""The latest usages in the ledger, and what became of each, from the last receipts only."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

from amberflo_workflows.core.canonical import normalize_text
from amberflo_workflows.core.ledger.receipt import LedgerEntry, Outcome
from amberflo_workflows.core.ledger.store import LedgerStore, StoredObject
from amberflo_workflows.core.usage_record import UsageRecord

MAX_LISTED: Final = 100
SPAN_SECONDS: Final = 3600
# What is read at most, so that the list is quick and cheap. Firehose's largest object has 64 MB.
_MAX_OBJECTS: Final = 20
_MAX_OBJECT_BYTES: Final = 4_000_000
_MAX_CACHED: Final = 2 * _MAX_OBJECTS


class LatestUsage(NamedTuple):
    """A usage that was counted, rejected or cancelled ``at`` a time in ISO 8601. A rejected one has no ``value``."""

    at: str
    outcome: Outcome
    tenant_id: str
    meter_api_name: str
    unique_id: str
    execution_arn: str
    value: float | None = None
    rejected_item: str = ""


class LatestPage(NamedTuple):
    """The latest usages, the latest first; ``left_out`` counts objects that were too large to be read for it."""

    usages: list[LatestUsage]
    left_out: int


@dataclass
class LatestUsages:
    """Reads the last receipts of a ledger; each object, which never changes, once."""

    open_ledger: Callable[[], LedgerStore]
    _usages: dict[str, list[LatestUsage]] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def read(self, now: int, tenant: str = "", meter: str = "") -> LatestPage:
        """Read the latest usages of a tenant and a meter, by default of all, the latest first.

        Raises what opening the ledger raises, botocore's errors, and
        :class:`~amberflo_workflows.core.ledger.receipt.UnreadableObject`.
        """
        ledger = self.open_ledger()
        receipts = sorted(ledger.list_receipts(now - SPAN_SECONDS, now), key=lambda receipt: receipt.modified)
        latest = receipts[-_MAX_OBJECTS:]
        readable = [receipt for receipt in latest if receipt.size <= _MAX_OBJECT_BYTES]
        with self._lock:
            usages = [usage for receipt in readable for usage in self._read(ledger, receipt)]
        tenant, meter = normalize_text(tenant), normalize_text(meter)
        matching = [
            usage
            for usage in usages
            if (not tenant or usage.tenant_id == tenant) and (not meter or usage.meter_api_name == meter)
        ]
        newest_first = sorted(matching, key=lambda usage: usage.at, reverse=True)
        return LatestPage(newest_first[:MAX_LISTED], len(latest) - len(readable))

    def _read(self, ledger: LedgerStore, receipt: StoredObject) -> list[LatestUsage]:
        if receipt.key not in self._usages:
            self._usages[receipt.key] = list(_iterate_usages(ledger.read_receipts([receipt])))
            if len(self._usages) > _MAX_CACHED:
                self._usages.pop(next(iter(self._usages)))
        return self._usages[receipt.key]


def _iterate_usages(entries: Iterator[LedgerEntry]) -> Iterator[LatestUsage]:
    for entry in entries:
        if entry.record:
            record = msgspec.json.decode(entry.record, type=UsageRecord)
            names = (record.customer_id, record.meter_api_name, record.unique_id, entry.execution_arn)
            yield LatestUsage(entry.time, entry.outcome, *names, value=record.meter_value)
        elif entry.rejection:
            rejection = entry.rejection
            names = (rejection.tenant_id, rejection.meter_api_name, rejection.unique_id, entry.execution_arn)
            yield LatestUsage(entry.time, entry.outcome, *names, rejected_item=rejection.id)
