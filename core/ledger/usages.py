"""Read the usage of a ledger by its own time: each distinct record once, with all that the ledger knows of it."""

import heapq
import zlib
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from tempfile import TemporaryFile
from typing import IO, Final, NamedTuple, Self

import msgspec

from amberflo_workflows.core.ledger.layout import SORTED_PREFIX, format_folder
from amberflo_workflows.core.ledger.receipt import LedgerEntry, LineFilter, UnreadableObject, accept_all
from amberflo_workflows.core.ledger.rules import Rules
from amberflo_workflows.core.ledger.runs import RunItem, Sorter, merge_runs, write_run
from amberflo_workflows.core.ledger.store import PARALLEL_OBJECTS, LedgerStore, StoredObject
from amberflo_workflows.core.usage_record import UsageRecord

# Runs that are downloaded at a time, if there are several hours: a Lambda has 512 MB of temporary storage.
_MAX_GROUP_BYTES: Final = 64_000_000
_records = msgspec.json.Decoder(UsageRecord)
# What a run that was cut off or changed can cause.
_RUN_ERRORS: Final = (OSError, EOFError, zlib.error, msgspec.DecodeError, UnicodeDecodeError)


class LedgerUsage(NamedTuple):
    """A distinct record that Amberflo counted.

    ``content`` are the bytes that were sent; ``counted`` are the entries that have it as counted, the earliest first;
    ``cancelled_by`` is the ARN of the execution or ``rule ID`` that cancelled it, or empty; ``changed`` is when an
    entry was last written, in ISO 8601.
    """

    record: UsageRecord
    content: bytes
    counted: list[LedgerEntry]
    cancelled_by: str
    changed: str


class LedgerHour(NamedTuple):
    """An hour that may have usage, by its start in epoch seconds, and its runs in the bucket."""

    start: int
    runs: list[StoredObject]

    @property
    def size(self) -> int:
        """The bytes of the runs."""
        return sum(run.size for run in self.runs)


@dataclass
class UnsortedUsage:
    """What is in receipts that are not sorted yet: runs by hour, in temporary files, and rules."""

    runs: dict[int, list[IO[bytes]]]
    rules: list[LedgerEntry]

    @classmethod
    def read(
        cls, store: LedgerStore, receipts: Iterable[StoredObject], start: int, end: int, accept: LineFilter
    ) -> Self:
        """Read the usage of a range of time, and all rules: one may be older than what it cancels."""
        unsorted = cls(defaultdict(list), [])
        sorter = Sorter(unsorted._write_run)
        for entry in store.read_receipts(receipts, lambda line: accept(line) or b'"rule":' in line):
            if entry.rule:
                unsorted.rules.append(entry)
            elif entry.record and start * 1000 <= _records.decode(entry.record).meter_time_in_millis < end * 1000:
                sorter.add(entry)
        sorter.flush()
        return unsorted

    def close(self) -> None:
        """Delete the temporary files that were not read."""
        for files in self.runs.values():
            for file in files:
                file.close()

    def _write_run(self, hour: int, items: Iterable[RunItem]) -> None:
        file = TemporaryFile()  # noqa: SIM115 - stays open until its hour is read, then closed
        write_run(items, file)
        file.seek(0)
        self.runs[hour].append(file)


class UsageReader:
    """Reads the usage of a ledger between epoch seconds, in the order of its time, in little memory.

    With a ``tenant``, only that tenant's. It sees what was in the ledger when it was created. ``unsorted`` are the
    receipts that are not sorted, if the caller has listed them already. Methods raise botocore's errors and
    :class:`~amberflo_workflows.core.ledger.receipt.UnreadableObject`.
    """

    def __init__(
        self,
        store: LedgerStore,
        start: int,
        end: int,
        *,
        tenant: str | None = None,
        unsorted: Iterable[StoredObject] | None = None,
    ) -> None:
        self._store = store
        self._start = start
        self._end = end
        self._tenant = tenant
        self._accept = accept_all if tenant is None else _build_filter(tenant)
        # First the receipts, so that one that is sorted meanwhile is read twice and not missed.
        receipts = store.list_unsorted(store.read_sorted_until()) if unsorted is None else unsorted
        self._unsorted = UnsortedUsage.read(store, receipts, start, end, self._accept)
        # A rule cancels usage of any time.
        self._rules = Rules([*store.read_rules(), *self._unsorted.rules])

    def read(self) -> Iterator[LedgerUsage]:
        """Yield each usage that was counted, also if it was cancelled later."""
        return self.read_hours(self.list_hours())

    def list_hours(self) -> Iterator[LedgerHour]:
        """Yield the hours that may have usage, in their order."""
        unsorted: list[tuple[int, list[StoredObject]]] = [(hour, []) for hour in sorted(self._unsorted.runs)]
        hours = heapq.merge(unsorted, self._store.list_runs(self._start, self._end), key=itemgetter(0))
        for hour, group in groupby(hours, key=itemgetter(0)):
            yield LedgerHour(hour, [run for _, runs in group for run in runs])

    def read_hours(self, hours: Iterable[LedgerHour]) -> Generator[LedgerUsage]:
        """Yield the usage of hours like :meth:`read`."""
        with ThreadPoolExecutor(PARALLEL_OBJECTS) as pool:
            for group in _group_hours(hours):
                downloads = pool.map(self._store.download, [run.key for hour in group for run in hour.runs])
                with ExitStack() as stack:
                    files = [stack.enter_context(file) for file in downloads]
                    for hour in group:
                        own, files = files[: len(hour.runs)], files[len(hour.runs) :]
                        yield from self._read_hour(hour.start, own)

    def close(self) -> None:
        """Delete the temporary files of hours that were not read."""
        self._unsorted.close()

    def _read_hour(self, hour: int, runs: Sequence[IO[bytes]]) -> Iterator[LedgerUsage]:
        with ExitStack() as stack:
            unsorted = [stack.enter_context(file) for file in self._unsorted.runs.pop(hour, [])]
            try:
                for content, entries in merge_runs([*unsorted, *runs], self._accept):
                    usage = self._build_usage(content, entries)
                    if usage.counted and self._is_selected(usage.record):
                        yield usage
            except _RUN_ERRORS as error:
                folder = format_folder(SORTED_PREFIX, hour)
                raise UnreadableObject(f"An object of the ledger in {folder} cannot be read: {error}") from error

    def _is_selected(self, record: UsageRecord) -> bool:
        is_in_range = self._start * 1000 <= record.meter_time_in_millis < self._end * 1000
        return is_in_range and self._tenant in {None, record.customer_id}

    def _build_usage(self, content: bytes, entries: list[LedgerEntry]) -> LedgerUsage:
        record = _records.decode(content)
        counted = [entry for entry in entries if entry.outcome == "counted"]
        changed = entries[-1].time
        for entry in entries:
            if entry.outcome == "cancelled":
                return LedgerUsage(record, content, counted, entry.execution_arn, changed)
        rule = self._rules.find(record.meter_api_name, counted[0].time) if counted else None
        if rule:
            return LedgerUsage(record, content, counted, f"rule {rule.rule.id}", max(changed, rule.time))
        return LedgerUsage(record, content, counted, "", changed)


def _build_filter(tenant: str) -> LineFilter:
    """Return a filter for the lines that have a tenant's records. Records are written by msgspec, and only by it."""
    text = b'"customerId":' + msgspec.json.encode(tenant)
    return lambda line: text in line


def _group_hours(hours: Iterable[LedgerHour]) -> Iterator[list[LedgerHour]]:
    """Split hours into groups whose runs can be downloaded at once."""
    group: list[LedgerHour] = []
    count = size = 0
    for hour in hours:
        count += len(hour.runs)
        size += hour.size
        if group and (count > PARALLEL_OBJECTS or size > _MAX_GROUP_BYTES):
            yield group
            group, count, size = [], len(hour.runs), hour.size
        group.append(hour)
    if group:
        yield group
