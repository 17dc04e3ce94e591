"""Runs: usage of one hour in the order of its time and its record, so that any amount can be merged in little memory.

A usage that is in the ledger several times has the same record each time, so that its entries follow one another when
runs are merged. A run is lines of JSON like a receipt's, each with the key of its receipt, compressed with gzip.
"""

import gzip
import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from tempfile import TemporaryFile
from typing import IO, Final, NamedTuple

import msgspec
from msgspec import Struct

from amberflo_workflows.core.ledger.layout import start_of_hour
from amberflo_workflows.core.ledger.receipt import LedgerEntry, LineFilter, accept_all

# Lines that are held in memory until they are a run. With the keys to sort them it is twice as much.
MAX_HELD_BYTES: Final = 32_000_000
# An open file each, of which a Lambda may have 1,024.
MAX_MERGED_RUNS: Final = 400


class _RecordTime(Struct, rename="camel"):
    meter_time_in_millis: int


class RunItem(NamedTuple):
    """A line of a run, and what it is sorted by: the time in epoch milliseconds, and the record."""

    time: int
    record: bytes
    line: bytes


WriteRun = Callable[[int, Iterable[RunItem]], None]
_BY_RECORD: Final = itemgetter(0, 1)
_times: Final = msgspec.json.Decoder(_RecordTime)
_entries: Final = msgspec.json.Decoder(LedgerEntry)


class Sorter:
    """Sorts entries with a record into runs. ``write_run`` gets the hour of each in epoch seconds, and its items."""

    def __init__(self, write_run: WriteRun, *, max_held_bytes: int = MAX_HELD_BYTES) -> None:
        self._write_run = write_run
        self._max_held_bytes = max_held_bytes
        self._encoder = msgspec.json.Encoder()
        self._items: dict[int, list[RunItem]] = defaultdict(list)
        self._held_bytes = 0

    def add(self, entry: LedgerEntry) -> int:
        """Add an entry and return the hour of its usage, in epoch seconds. May write runs."""
        record = entry.content
        time = _times.decode(record).meter_time_in_millis
        line = self._encoder.encode(entry)
        hour = start_of_hour(time // 1000)
        self._items[hour].append(RunItem(time, record, line))
        self._held_bytes += len(line)
        if self._held_bytes >= self._max_held_bytes:
            self.flush()
        return hour

    def flush(self) -> None:
        """Write what is still in memory."""
        for hour, items in self._items.items():
            items.sort()
            self._write_run(hour, items)
        self._items.clear()
        self._held_bytes = 0


def write_run(items: Iterable[RunItem], file: IO[bytes]) -> None:
    """Write a run. The same items have the same bytes."""
    # Without mtime and a name, the header of gzip would have the time of day and that of the file.
    with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0) as compressed:
        for item in items:
            compressed.write(item.line + b"\n")


def _read_run(file: IO[bytes], accept: LineFilter) -> Iterator[RunItem]:
    """Yield the items of a run."""
    with gzip.GzipFile(fileobj=file, mode="rb") as lines:
        for line in filter(accept, lines):
            record = _entries.decode(line).content
            yield RunItem(_times.decode(record).meter_time_in_millis, record, line.rstrip(b"\n"))


def merge_runs(
    files: Sequence[IO[bytes]], accept: LineFilter = accept_all
) -> Iterator[tuple[bytes, list[LedgerEntry]]]:
    """Yield each distinct record of runs with its entries, each of them once, the earliest first.

    ``accept`` must treat all lines of a record alike.
    """
    for (_, record), items in groupby(_merge_items(files, accept), key=_BY_RECORD):
        # An entry may be in two runs, if its receipt was sorted twice.
        entries = [_entries.decode(line) for line in {item.line: None for item in items}]
        if len(entries) > 1:
            entries.sort(key=lambda entry: datetime.fromisoformat(entry.time))
        yield record, entries


def _merge_items(files: Sequence[IO[bytes]], accept: LineFilter) -> Iterator[RunItem]:
    if len(files) <= MAX_MERGED_RUNS:
        yield from heapq.merge(*(_read_run(file, accept) for file in files))
        return
    with TemporaryFile() as first:
        write_run(_merge_items(files[:MAX_MERGED_RUNS], accept), first)
        first.seek(0)
        yield from _merge_items([first, *files[MAX_MERGED_RUNS:]], accept)
