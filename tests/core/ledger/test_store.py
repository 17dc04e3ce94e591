"""Which objects of the ledger are listed, in a bucket of the emulator."""

from datetime import UTC, datetime, timedelta

import pytest

from amberflo_workflows.core.ledger.layout import format_folder, parse_hour, start_of_hour
from amberflo_workflows.core.ledger.receipt import RECEIPTS_PREFIX, LedgerEntry, encode_receipt
from amberflo_workflows.core.ledger.store import PARALLEL_OBJECTS, LedgerStore, ReceiptIndex

pytestmark = pytest.mark.emulator

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


def _seconds(time: datetime) -> int:
    return int(time.timestamp())


def _put(store: LedgerStore, hour: datetime, name: str = "a") -> str:
    """Put an object with one entry, whose event is named after the hour and the object."""
    entry = LedgerEntry(
        outcome="counted", time="", execution_arn="arn", key_version="v", event_id=f"{hour:%dT%H}{name}"
    )
    key = f"{format_folder(RECEIPTS_PREFIX, _seconds(hour))}{name}.ndjson.gz"
    store.s3.put_object(Bucket=store.bucket, Key=key, Body=encode_receipt([entry]))
    return key


def _read(store: LedgerStore, start: datetime, end: datetime) -> list[str]:
    receipts = store.list_receipts(_seconds(start), _seconds(end))
    return [entry.event_id for entry in store.read_receipts(receipts)]


def test_the_hours_of_a_range_are_read_also_across_midnight(store: LedgerStore) -> None:
    for hours in range(-14, 15):
        _put(store, NOON + timedelta(hours=hours))
    assert _read(store, NOON, NOON + timedelta(hours=1)) == ["27T11a", "27T12a", "27T13a"]
    evening = NOON + timedelta(hours=11, minutes=30)
    assert _read(store, evening, evening + timedelta(hours=1)) == ["27T23a", "28T00a"]


def test_an_object_can_have_receipts_of_the_next_hour(store: LedgerStore) -> None:
    # It is under the hour of its oldest receipt.
    _put(store, NOON - timedelta(hours=1))
    assert _read(store, NOON + timedelta(minutes=14), NOON + timedelta(minutes=15)) == ["27T11a"]
    assert _read(store, NOON + timedelta(minutes=15), NOON + timedelta(minutes=16)) == []


def test_all_objects_of_an_hour_are_read_in_their_order(store: LedgerStore) -> None:
    names = [f"{number:03}" for number in range(2 * PARALLEL_OBJECTS + 1)]
    for name in names:
        _put(store, NOON, name)
    assert _read(store, NOON, NOON) == [f"27T12{name}" for name in names]


def test_other_objects_are_not_read(store: LedgerStore) -> None:
    store.s3.put_object(Bucket=store.bucket, Key="errors/processing-failed/2026-11-27/a", Body=b"{}")
    assert _read(store, NOON, NOON) == []
    assert list(store.list_unsorted(0)) == []


def test_unsorted_receipts_are_those_without_an_index(store: LedgerStore) -> None:
    keys = [_put(store, NOON + timedelta(hours=hours), name) for hours in (0, 1, 2) for name in "abc"]
    for key in (keys[0], keys[4], keys[8]):
        store.write_index(key, ReceiptIndex([]))
    # An index whose receipt was deleted, between and after the others.
    for name in ("date=2026-11-27/hour=12/aa", "date=2026-11-28/hour=00/a"):
        store.write_index(f"{RECEIPTS_PREFIX}{name}", ReceiptIndex([]))
    unsorted = [receipt.key for receipt in store.list_unsorted(0)]
    assert unsorted == [key for number, key in enumerate(keys) if number not in {0, 4, 8}]
    assert [receipt.key for receipt in store.list_unsorted(_seconds(NOON + timedelta(hours=2)))] == keys[6:8]
    assert [receipt.key for receipt in store.list_unsorted(0, after=keys[1], last=keys[6])] == [*keys[2:4], *keys[5:7]]


def test_a_folder_is_named_after_its_hour() -> None:
    folder = format_folder(RECEIPTS_PREFIX, _seconds(NOON) + 3599)
    assert folder == "receipts/date=2026-11-27/hour=12/"
    assert parse_hour(f"{folder}a") == _seconds(NOON) == start_of_hour(_seconds(NOON) + 3599)
    with pytest.raises(ValueError):  # noqa: PT011 - int and datetime have messages of their own
        parse_hour("sorted-until.json")
