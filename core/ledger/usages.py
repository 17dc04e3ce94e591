"""Read the usage of a ledger by its own time: each distinct record once, with all that the ledger knows of it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO, NamedTuple

import msgspec

from amberflo_workflows.core.ledger.layout import HOUR_SECONDS, start_of_hour
from amberflo_workflows.core.ledger.receipt import LedgerEntry
from amberflo_workflows.core.ledger.rules import Rules
from amberflo_workflows.core.ledger.runs import RunItem, Sorter, merge_runs, write_run
from amberflo_workflows.core.ledger.store import LedgerStore
from amberflo_workflows.core.usage_record import UsageRecord

_records = msgspec.json.Decoder(UsageRecord)


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


@dataclass
class UnsortedUsage:
    """What is in receipts that are not sorted yet: runs by hour, in temporary files, and rules."""

    runs: dict[int, list[IO[bytes]]]
    rules: list[LedgerEntry]

    @classmethod
    def read(cls, store: LedgerStore, start: int, end: int) -> "UnsortedUsage":
        """Read the receipts that are not sorted: all of them, since a rule may be older than what it cancels."""
        unsorted = cls(defaultdict(list), [])
        sorter = Sorter(unsorted._write_run)
        for entry in store.read_receipts(store.list_unsorted(store.read_sorted_until())):
            if entry.rule:
                unsorted.rules.append(entry)
            elif entry.record and start * 1000 <= _records.decode(entry.record).meter_time_in_millis < end * 1000:
                sorter.add(entry)
        sorter.flush()
        return unsorted

    def _write_run(self, hour: int, items: Iterable[RunItem]) -> None:
        file = TemporaryFile()  # noqa: SIM115 - closed when its hour was read
        write_run(items, file)
        file.seek(0)
        self.runs[hour].append(file)


class UsageReader:
    """Reads the usage of a ledger between epoch seconds, in the order of its time, in little memory.

    It sees what was in the ledger when it was created. Methods raise botocore's errors and
    :class:`~amberflo_workflows.core.ledger.receipt.UnreadableObject`.
    """

    def __init__(self, store: LedgerStore, start: int, end: int) -> None:
        self._store = store
        self._start = start
        self._end = end
        # First the receipts, so that one that is sorted meanwhile is read twice and not missed.
        self._unsorted = UnsortedUsage.read(store, start, end)
        # A rule cancels usage of any time.
        self._rules = Rules([*store.read_rules(), *self._unsorted.rules])

    def read(self) -> Iterator[LedgerUsage]:
        """Yield each usage that was counted, also if it was cancelled later."""
        for hour in range(start_of_hour(self._start), self._end, HOUR_SECONDS):
            for content, entries in self._merge(hour):
                usage = self._build_usage(content, entries)
                if usage.counted and self._start * 1000 <= usage.record.meter_time_in_millis < self._end * 1000:
                    yield usage

    def _merge(self, hour: int) -> Iterator[tuple[bytes, list[LedgerEntry]]]:
        with ExitStack() as stack:
            files = self._unsorted.runs.pop(hour, [])
            files += [self._store.download(run.key) for run in self._store.list_runs(hour)]
            for file in files:
                stack.enter_context(file)
            yield from merge_runs(files)

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
