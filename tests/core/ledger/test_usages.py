"""The usage of a range of time, from receipts that are sorted, in part, twice, or not at all."""

from collections.abc import Sequence

import msgspec
import pytest

from amberflo_workflows.core.ledger.receipt import RECEIPTS_PREFIX, LedgerEntry, UnreadableObject, encode_receipt
from amberflo_workflows.core.ledger.sorting import sort_receipts
from amberflo_workflows.core.ledger.store import LedgerStore, StoredObject
from amberflo_workflows.core.ledger.usages import LedgerUsage, UsageReader
from tests.core.ledger.entries import START, build_entry, build_record, build_rule, put_receipt

pytestmark = pytest.mark.emulator


def _sort(store: LedgerStore, count: int | None = None) -> list[StoredObject]:
    receipts = list(store.list_unsorted(0))[:count]
    sort_receipts(store, receipts)
    return receipts


def _read(store: LedgerStore, first: int = 0, last: int = 3600) -> list[LedgerUsage]:
    return list(UsageReader(store, START + first, START + last).read())


def _list_ids(usages: Sequence[LedgerUsage]) -> list[str]:
    return [usage.record.unique_id for usage in usages]


@pytest.mark.parametrize("sorted_receipts", [0, 1, 2, 3, None])
def test_a_usage_is_read_once_wherever_its_receipts_are(store: LedgerStore, sorted_receipts: int | None) -> None:
    records = [build_record(number, second=number) for number in range(4)]
    first = put_receipt(store, "hour=15/a", [build_entry("counted", 1, record) for record in records[:3]])
    second = put_receipt(
        store, "hour=15/b", [build_entry("counted", 5, record, event_id="again") for record in records[1:]]
    )
    put_receipt(store, "hour=17/a", [build_entry("cancelled", 9000, records[0], execution_arn="cancelling")])
    if sorted_receipts != 0:
        _sort(store, sorted_receipts)
    usages = _read(store)
    assert _list_ids(usages) == ["u0", "u1", "u2", "u3"]
    assert [usage.cancelled_by for usage in usages] == ["cancelling", "", "", ""]
    assert [[entry.receipt for entry in usage.counted] for usage in usages] == [
        [first],
        [first, second],
        [first, second],
        [second],
    ]
    assert usages[0].changed == "2026-11-27T17:30:00.000Z"
    assert bytes(usages[3].content) == msgspec.json.encode(records[3])


def test_receipts_that_are_sorted_twice_change_nothing(store: LedgerStore) -> None:
    for name in "ab":
        put_receipt(store, f"hour=15/{name}", [build_entry("counted", 1, build_record(ord(name)))])
    receipts = _sort(store)
    # As an execution that was interrupted does, in other batches.
    for receipt in receipts:
        sort_receipts(store, [receipt])
    assert list(store.list_unsorted(0)) == []
    assert [len(usage.counted) for usage in _read(store)] == [1, 1]


def test_a_range_has_usage_by_its_own_time_whenever_it_was_counted(store: LedgerStore) -> None:
    seconds = [-1, 0, 100, 3599, 3600]
    put_receipt(
        store,
        "hour=18/a",
        [build_entry("counted", 11_000, build_record(number, second)) for number, second in enumerate(seconds)],
    )
    for _ in range(2):
        assert _list_ids(_read(store)) == ["u1", "u2", "u3"]
        assert _list_ids(_read(store, 1, 3601)) == ["u2", "u3", "u4"]
        assert store.read_touched_hours(START + 10_000, START + 12_000) in (set(), {START - 3600, START, START + 3600})
        _sort(store)
    assert store.read_touched_hours(START, START + 3600) == set()


def test_a_record_that_was_only_cancelled_or_rejected_is_no_usage(store: LedgerStore) -> None:
    rejection = {"id": "i", "uniqueId": "u2", "tenantId": "t", "meterApiName": "m"}
    rejected = msgspec.convert(
        {
            "outcome": "rejected",
            "time": "2026-11-27T15:00:00Z",
            "executionArn": "arn",
            "keyVersion": "v",
            "rejection": rejection,
        },
        LedgerEntry,
    )
    put_receipt(store, "hour=15/a", [build_entry("cancelled", 1, build_record(1)), rejected])
    assert _read(store) == []
    _sort(store)
    assert _read(store) == []
    assert store.read_touched_hours(START, START) == {START}


def test_a_cancelled_record_is_the_same_record_only(store: LedgerStore) -> None:
    put_receipt(
        store,
        "hour=15/a",
        [build_entry("counted", 1, build_record(1)), build_entry("cancelled", 4, build_record(1, value=3))],
    )
    assert [usage.cancelled_by for usage in _read(store)] == [""]


@pytest.mark.parametrize("is_sorted", [False, True])
def test_a_rule_cancels_what_was_first_counted_in_its_range(store: LedgerStore, is_sorted: bool) -> None:
    # The rule is in a receipt of another hour than the usage, also an earlier one.
    put_receipt(store, "hour=14/a", [build_entry("rule", -600, build_rule("r", 10, 20))])
    put_receipt(store, "hour=15/a", [build_entry("counted", second, build_record(second)) for second in (10, 19, 20)])
    put_receipt(
        store, "hour=15/b", [build_entry("counted", 15, build_record(20)), build_entry("counted", 25, build_record(10))]
    )
    put_receipt(store, "hour=16/a", [build_entry("rule", 4000, build_rule("s", 30, 40))])
    if is_sorted:
        _sort(store)
    usages = _read(store)
    assert {usage.record.unique_id: usage.cancelled_by for usage in usages} == {
        "u10": "rule r",
        "u19": "rule r",
        "u20": "rule r",
    }
    assert {usage.changed for usage in usages} == {
        "2026-11-27T15:00:25.000Z",
        "2026-11-27T15:00:19.000Z",
        "2026-11-27T15:00:20.000Z",
    }


def test_a_rule_that_was_written_later_changes_what_it_cancels(store: LedgerStore) -> None:
    put_receipt(
        store,
        "hour=15/a",
        [build_entry("counted", 10, build_record(1)), build_entry("rule", 4000, build_rule("r", 0, 60))],
    )
    assert [usage.changed for usage in _read(store)] == ["2026-11-27T16:06:40.000Z"]


@pytest.mark.parametrize("content", [b"{}", b"\x1f\x8b", encode_receipt([])[:-4], b""])
def test_a_broken_receipt_is_named(store: LedgerStore, content: bytes) -> None:
    key = f"{RECEIPTS_PREFIX}date=2026-11-27/hour=15/a.ndjson.gz"
    store.s3.put_object(Bucket=store.bucket, Key=key, Body=content)
    if not content:
        assert _read(store) == []
        return
    with pytest.raises(UnreadableObject, match=r"receipts/date=2026-11-27/hour=15/a\.ndjson\.gz"):
        _read(store)


def test_unsorted_receipts_before_the_mark_are_not_looked_for(store: LedgerStore) -> None:
    assert store.read_sorted_until() == 0
    put_receipt(store, "hour=15/a", [build_entry("counted", 1, build_record(1))])
    store.write_sorted_until(START + 3600)
    assert store.read_sorted_until() == START + 3600
    assert _read(store) == []
