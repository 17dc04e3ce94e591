"""The pages of the records behind a number: no record is skipped or repeated, wherever its receipts are."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from amberflo_workflows.core.ledger import record_page
from amberflo_workflows.core.ledger.receipt import LedgerEntry, UnreadableObject
from amberflo_workflows.core.ledger.record_page import (
    InvalidPosition,
    LedgerNotSorted,
    Position,
    RecordFilter,
    RecordPage,
    read_page,
)
from amberflo_workflows.core.ledger.sorting import sort_receipts
from amberflo_workflows.core.ledger.store import LedgerStore
from amberflo_workflows.core.usage_record import UsageRecord
from tests.core.ledger.entries import START, build_entry, build_record, build_rule, put_receipt

pytestmark = pytest.mark.emulator

HOURS = 3
SELECTION = RecordFilter("m", "t", START, START + HOURS * 3600)
# The edges of hours, and some usages of the same millisecond.
SECONDS = [0, 5, 5, 5, 5, 3599, 3600, 3600, 7199, 7200, 10_799]
RECORDS = [build_record(number, second, number) for number, second in enumerate(SECONDS)]
NOT_SELECTED = [
    build_record(50, 5, tenant="t2"),
    build_record(51, 5, tenant="tt"),
    build_record(52, 5, meter="m2"),
    build_record(53, -1),
    build_record(54, HOURS * 3600),
    msgspec.structs.replace(build_record(55, 5, tenant="t2"), dimensions={"customerId": "t"}),
    # The same identity and time as a selected one.
    msgspec.structs.replace(RECORDS[1], customer_id="t2"),
    msgspec.structs.replace(RECORDS[1], meter_api_name="m2"),
]


def _count(*records: UsageRecord, **members: Any) -> list[LedgerEntry]:
    return [build_entry("counted", 10, record, **members) for record in records]


def _fill(store: LedgerStore, sorted_receipts: int) -> None:
    """Put each record into several receipts, the first of which are sorted."""
    put_receipt(store, "hour=15/a", _count(*RECORDS[::2], *NOT_SELECTED))
    put_receipt(store, "hour=15/b", _count(*reversed(RECORDS), event_id="again"))
    put_receipt(store, "hour=15/c", _count(*RECORDS[3:6], event_id="third"))
    put_receipt(store, "hour=16/a", [build_entry("cancelled", 4000, RECORDS[3], execution_arn="cancelling")])
    _sort(store, sorted_receipts)


def _sort(store: LedgerStore, count: int | None = None) -> None:
    sort_receipts(store, list(store.list_unsorted(0))[:count])


def _read_pages(store: LedgerStore, limit: int, selection: RecordFilter = SELECTION) -> list[RecordPage]:
    pages = [read_page(store, selection, None, limit)]
    while pages[-1].end:
        assert len(pages) < 100
        pages.append(read_page(store, selection, pages[-1].end, limit))
    return pages


def _list_ids(pages: Sequence[RecordPage]) -> list[str]:
    return [record.record.unique_id for page in pages for record in page.records]


@pytest.mark.parametrize("sorted_receipts", [0, 1, 3, 4])
@pytest.mark.parametrize("limit", [1, 2, 3, len(RECORDS), 1000])
def test_each_record_is_in_one_page_in_the_order_of_time(store: LedgerStore, limit: int, sorted_receipts: int) -> None:
    _fill(store, sorted_receipts)
    pages = _read_pages(store, limit)
    assert _list_ids(pages) == [f"u{number}" for number in range(len(RECORDS))]
    assert [len(page.records) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    assert len(pages) == -(-len(RECORDS) // limit)
    records = [record for page in pages for record in page.records]
    assert [record.record for record in records] == RECORDS
    assert [number for number, record in enumerate(records) if record.cancelled_by] == [3]
    assert records[3].cancelled_by == "cancelling"
    assert [len(record.counted) for record in records] == [2, 1, 2, 2, 3, 2, 2, 1, 2, 1, 2]
    # The sum of each page, without what was cancelled.
    assert sum(page.total for page in pages) == sum(range(len(RECORDS))) - 3


@pytest.mark.parametrize("sorted_receipts", [0, 4])
def test_a_page_that_may_read_no_more_ends_before_the_next_hour(
    store: LedgerStore, monkeypatch: pytest.MonkeyPatch, sorted_receipts: int
) -> None:
    _fill(store, sorted_receipts)
    # The smallest page that reads the receipts which are not sorted, and one hour.
    unsorted = list(store.list_unsorted(0))
    monkeypatch.setattr(record_page, "MAX_READ_BYTES", record_page._estimate_cost(unsorted))
    pages = _read_pages(store, 1000)
    assert _list_ids(pages) == [f"u{number}" for number in range(len(RECORDS))]
    sizes = [len(page.records) for page in pages]
    assert sizes == ([6, 3, 2] if sorted_receipts else [len(RECORDS)])
    other = _read_pages(store, 1000, SELECTION._replace(tenant="nobody"))
    assert [page.end for page in other] == (
        [Position((START + hours * 3600) * 1000) for hours in (1, 2)] if sorted_receipts else []
    ) + [None]


def test_a_page_of_a_later_position_reads_no_earlier_hour(store: LedgerStore) -> None:
    _fill(store, 4)
    end = read_page(store, SELECTION, None, 7).end
    for run in store.iterate_objects("sorted/date=2026-11-27/hour=15/"):
        store.s3.put_object(Bucket=store.bucket, Key=run.key, Body=b"unreadable")
    assert _list_ids([read_page(store, SELECTION, end, 1000)]) == ["u7", "u8", "u9", "u10"]
    with pytest.raises(UnreadableObject, match=r"sorted/date=2026-11-27/hour=15/ cannot be read"):
        read_page(store, SELECTION, None, 1000)


def test_usage_that_arrives_between_pages_neither_repeats_nor_hides_another(store: LedgerStore) -> None:
    put_receipt(store, "hour=15/a", _count(*RECORDS[:4]))
    first = read_page(store, SELECTION, None, 2)
    put_receipt(store, "hour=15/b", _count(build_record(8, 1, 8), build_record(9, 5, 9), RECORDS[1]))
    _sort(store)
    second = read_page(store, SELECTION, first.end, 1000)
    assert _list_ids([first, second]) == ["u0", "u1", "u2", "u3", "u9"]


def test_a_page_is_cut_to_the_size_of_a_response(store: LedgerStore, monkeypatch: pytest.MonkeyPatch) -> None:
    _fill(store, 2)
    monkeypatch.setattr(record_page, "PAGE_BYTES", 1500)
    pages = _read_pages(store, 1000)
    assert _list_ids(pages) == [f"u{number}" for number in range(len(RECORDS))]
    assert 1 < len(pages) < len(RECORDS)
    monkeypatch.setattr(record_page, "PAGE_BYTES", 1)
    assert [len(page.records) for page in _read_pages(store, 1000)] == [1] * len(RECORDS)


def test_a_rule_cancels_wherever_its_receipt_is(store: LedgerStore) -> None:
    put_receipt(store, "hour=13/a", [build_entry("rule", -7200, build_rule("r", 0, 60))])
    put_receipt(store, "hour=15/a", _count(RECORDS[1]))
    for _ in range(2):
        (page,) = _read_pages(store, 10)
        assert ([record.cancelled_by for record in page.records], page.total) == (["rule r"], 0)
        _sort(store)


def test_a_record_that_was_cancelled_and_never_counted_is_not_listed(store: LedgerStore) -> None:
    put_receipt(store, "hour=15/a", [build_entry("cancelled", 10, RECORDS[0]), *_count(RECORDS[1])])
    assert _list_ids(_read_pages(store, 1)) == ["u1"]


@pytest.mark.parametrize(
    "tenant", ['a"b', "a\\b", "Acme, Inc.", "café", "日本", "\U0001f600", "a/b", "<b>&", "\u2028", "t\x7f"]
)
def test_a_tenant_may_have_any_name(store: LedgerStore, tenant: str) -> None:
    put_receipt(store, "hour=15/a", _count(build_record(1, tenant=tenant), build_record(2, tenant=f"{tenant}x")))
    for _ in range(2):
        assert _list_ids(_read_pages(store, 1, SELECTION._replace(tenant=tenant))) == ["u1"]
        _sort(store)


def test_an_empty_ledger_and_an_empty_range(store: LedgerStore) -> None:
    assert read_page(store, SELECTION, None, 1) == RecordPage([], 0, None)
    _fill(store, 4)
    empty = SELECTION._replace(start=START + 6, end=START + 3599)
    assert read_page(store, empty, None, 1) == RecordPage([], 0, None)


def test_a_position_of_another_selection_is_invalid(store: LedgerStore) -> None:
    _fill(store, 2)
    end = read_page(store, SELECTION, None, 2).end
    assert end
    for selection in (
        SELECTION._replace(tenant="t2"),
        SELECTION._replace(meter="m2"),
        SELECTION._replace(start=START + 6),
        SELECTION._replace(end=START + 5),
    ):
        with pytest.raises(InvalidPosition):
            read_page(store, selection, end, 2)
    for position in (
        end._replace(digest="0" * 32),
        end._replace(time=end.time + 1),
        Position(SELECTION.end * 1000),
        Position(SELECTION.start * 1000 - 1),
        Position((START + 10_799) * 1000, "0"),
    ):
        with pytest.raises(InvalidPosition):
            read_page(store, SELECTION, position, 2)


def test_too_many_receipts_that_are_not_sorted(store: LedgerStore, monkeypatch: pytest.MonkeyPatch) -> None:
    _fill(store, 0)
    monkeypatch.setattr(record_page, "MAX_READ_BYTES", 4 * record_page._REQUEST_BYTES)
    with pytest.raises(LedgerNotSorted, match=r"a page: 4 with "):
        read_page(store, SELECTION, None, 1)
    _sort(store, 1)
    assert len(read_page(store, SELECTION, None, 1).records) == 1
