"""Sorting and merging: the same usages come out, whatever the order, the number of runs and the repetitions."""

import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryFile
from typing import IO

import msgspec
import pytest

from amberflo_workflows.core.ledger import runs
from amberflo_workflows.core.ledger.receipt import LedgerEntry
from amberflo_workflows.core.ledger.runs import RunItem, Sorter, merge_runs, write_run
from tests.core.ledger.entries import START, build_entry, build_record

ENTRIES = [build_entry("counted", number, build_record(number, second=number % 7)) for number in range(50)]

RECORDS = [msgspec.json.encode(build_record(number, second=number % 7)) for number in range(50)]


@contextmanager
def _sorted_runs(entries: Iterable[LedgerEntry], max_held_bytes: int) -> Iterator[list[IO[bytes]]]:
    files: list[IO[bytes]] = []
    with ExitStack() as stack:

        def write(hour: int, items: Iterable[RunItem]) -> None:
            assert hour == START
            files.append(stack.enter_context(TemporaryFile()))
            write_run(items, files[-1])
            files[-1].seek(0)

        sorter = Sorter(write, max_held_bytes=max_held_bytes)
        for entry in entries:
            sorter.add(entry)
        sorter.flush()
        yield files


def _merge(entries: Sequence[LedgerEntry], max_held_bytes: int = 1000) -> list[tuple[bytes, list[LedgerEntry]]]:
    with _sorted_runs(entries, max_held_bytes) as files:
        return list(merge_runs(files))


@pytest.mark.parametrize("max_held_bytes", [1, 1000, 1_000_000])
def test_usages_come_in_the_order_of_their_time(max_held_bytes: int) -> None:
    shuffled = random.Random(1).sample(ENTRIES, len(ENTRIES))  # noqa: S311 - has to be repeatable
    merged = _merge(shuffled, max_held_bytes)
    expected = sorted(range(50), key=lambda number: (number % 7, RECORDS[number]))
    assert [content for content, _ in merged] == [RECORDS[number] for number in expected]
    assert all(len(entries) == 1 for _, entries in merged)


def test_more_runs_than_can_be_open_at_once_are_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = _merge(ENTRIES, 1)
    monkeypatch.setattr(runs, "MAX_MERGED_RUNS", 3)
    assert _merge(ENTRIES, 1) == expected


def test_a_record_has_all_its_entries_each_once_and_the_earliest_first() -> None:
    record = build_record(1)
    again, first = build_entry("counted", 20, record), build_entry("counted", 10, record)
    cancelled = build_entry("cancelled", 30, record)
    (merged,) = _merge([again, cancelled, first, again, first], 1)
    assert merged[1] == [first, again, cancelled]


def test_a_run_has_usage_of_one_hour() -> None:
    hours: list[int] = []
    sorter = Sorter(lambda hour, items: hours.extend(hour for _ in items))
    for second in (-1, 0, 3599, 3600):
        sorter.add(build_entry("counted", 0, build_record(1, second)))
    sorter.flush()
    assert sorted(hours) == [START - 3600, START, START, START + 3600]


def test_the_same_items_have_the_same_bytes() -> None:
    with _sorted_runs(ENTRIES, 1_000_000) as (first,), _sorted_runs(reversed(ENTRIES), 1_000_000) as (second,):
        assert first.read() == second.read()
