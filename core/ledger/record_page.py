"""A page of the records behind a number: a tenant's usage of a meter in a range of time.

A page ends when it is full, or when so much of the ledger was read for it that the next hour might take too long. So a
page may have few records, or none, and another page may still follow.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from amberflo_workflows.core.canonical import normalize_number
from amberflo_workflows.core.ledger.store import LedgerStore, StoredObject
from amberflo_workflows.core.ledger.totals import ExactSum
from amberflo_workflows.core.ledger.usages import LedgerHour, LedgerUsage, UsageReader
from amberflo_workflows.core.response import PAGE_BYTES, text_size
from amberflo_workflows.core.usage_record import UsageRecord

# What a page reads, in bytes of compressed objects: about a million usages, which take a full core some seconds.
MAX_READ_BYTES: Final = 50_000_000
# A request for an object takes as long as reading so many bytes.
_REQUEST_BYTES: Final = 25_000


class LedgerNotSorted(Exception):
    """There are too many receipts that are not sorted to read them for a page."""


class InvalidPosition(Exception):
    """A position is not one at which a page of this selection ended."""


class RecordFilter(NamedTuple):
    """A tenant's usage of a meter, from ``start`` (inclusive) to ``end`` in epoch seconds."""

    meter: str
    tenant: str
    start: int
    end: int


class Position(NamedTuple):
    """The end of a page: after the usage with this time (epoch milliseconds) and digest.

    Without a digest it is before all usage of this time.
    """

    time: int
    digest: str = ""


class Delivery(Struct, rename="camel"):
    """A delivery of a usage. `time` is when Amberflo had responded; `receipt` is the key of the object in the ledger.

    `eventId` and `index` name the event that reported the usage first, and its position in it.
    """

    time: str
    event_id: str
    index: int
    execution_arn: str
    receipt: str


class CountedRecord(Struct, rename="camel"):
    """A record that Amberflo counted, and each delivery of it, the earliest first.

    `cancelledBy` is the ARN of the execution that cancelled it, `rule ID`, or null.
    """

    record: UsageRecord
    cancelled_by: str | None
    counted: list[Delivery]


class RecordPage(NamedTuple):
    """The usages of a page, the sum of those that are not cancelled, and where the next page starts."""

    records: list[CountedRecord]
    total: int | float
    end: Position | None


def read_page(store: LedgerStore, selection: RecordFilter, after: Position | None, limit: int) -> RecordPage:
    """Read up to ``limit`` records after a position, in the order of their times, then of their bytes.

    Raises :class:`InvalidPosition`, :class:`LedgerNotSorted`, botocore's errors, and
    :class:`~amberflo_workflows.core.ledger.receipt.UnreadableObject`.
    """
    if after and not selection.start * 1000 <= after.time < selection.end * 1000:
        raise InvalidPosition
    # Earlier hours are not read again.
    start = after.time // 1000 if after else selection.start
    unsorted = list(store.list_unsorted(store.read_sorted_until()))
    cost = _estimate_cost(unsorted)
    if cost > MAX_READ_BYTES:
        size = sum(receipt.size for receipt in unsorted)
        raise LedgerNotSorted(
            f"Too many receipts are not sorted to read them for a page: {len(unsorted):,} with {size:,} bytes. "
            "Sort them with a reconciliation (POST /reconciliations), then repeat the call."
        )
    reader = UsageReader(store, start, selection.end, tenant=selection.tenant, unsorted=unsorted)
    with closing(reader):
        hours, next_hour = _take_hours(reader.list_hours(), MAX_READ_BYTES - cost)
        with closing(reader.read_hours(hours)) as usages:
            own = (usage for usage in usages if usage.record.meter_api_name == selection.meter)
            return _fill_page(_skip_to(own, after), limit, next_hour)


def describe_usage(usage: LedgerUsage) -> CountedRecord:
    """Return what a page tells of a usage."""
    deliveries = [
        Delivery(entry.time, entry.event_id, entry.index, entry.execution_arn, entry.receipt) for entry in usage.counted
    ]
    return CountedRecord(usage.record, usage.cancelled_by or None, deliveries)


def _estimate_cost(items: Iterable[StoredObject]) -> int:
    return sum(item.size + _REQUEST_BYTES for item in items)


def _take_hours(hours: Iterator[LedgerHour], max_cost: int) -> tuple[list[LedgerHour], int | None]:
    """Return the hours that a page may read, at least one, and the start of the hour after them, if there is one."""
    taken: list[LedgerHour] = []
    for hour in hours:
        max_cost -= _estimate_cost(hour.runs)
        if taken and max_cost < 0:
            return taken, hour.start
        taken.append(hour)
    return taken, None


def _skip_to(usages: Iterator[LedgerUsage], after: Position | None) -> Iterator[LedgerUsage]:
    """Yield the usages after a position. Raises :class:`InvalidPosition` if its usage is not among them."""
    if after and after.digest and not any(_build_position(usage) == after for usage in usages):
        raise InvalidPosition
    yield from usages


def _fill_page(usages: Iterator[LedgerUsage], limit: int, next_hour: int | None) -> RecordPage:
    """Return the first usages, as many as fit into a page, and at least one."""
    records: list[CountedRecord] = []
    total = ExactSum()
    free_bytes, last = PAGE_BYTES, None
    for usage in usages:
        record = describe_usage(usage)
        free_bytes -= text_size(msgspec.json.encode(record).decode()) + 1  # the comma
        if records and (len(records) >= limit or free_bytes < 0):
            return RecordPage(records, normalize_number(total.value), last)
        records.append(record)
        last = _build_position(usage)
        if not usage.cancelled_by:
            total.add(usage.record.meter_value)
    end = None if next_hour is None else Position(next_hour * 1000)
    return RecordPage(records, normalize_number(total.value), end)


def _build_position(usage: LedgerUsage) -> Position:
    digest = hashlib.sha256(usage.content).hexdigest()[:32]
    return Position(usage.record.meter_time_in_millis, digest)
