"""Which receipts are listed, and that all of them are sorted, whatever the batches."""

from typing import Any

import pytest

from amberflo_workflows.core.ledger.errors import LedgerUnavailable
from amberflo_workflows.core.ledger.layout import HOUR_SECONDS
from amberflo_workflows.core.ledger.receipt import UnreadableObject
from amberflo_workflows.core.ledger.usages import UsageReader
from amberflo_workflows.tasks import list_unsorted, plan_comparison, sort_batch
from tests.core.ledger.entries import START, build_entry, build_record
from tests.tasks.reconciliation.conftest import Ledger, build_execution

pytestmark = [pytest.mark.emulator, pytest.mark.usefixtures("ledger")]

RANGE = {"startTimeInSeconds": START, "endTimeInSeconds": START + HOUR_SECONDS}


def _list(request: Any = RANGE, **changes: Any) -> Any:
    return list_unsorted.handler({"request": request, "execution": build_execution(**changes)}, None)


def _sort(batch: Any) -> Any:
    return sort_batch.handler({"batch": batch, "execution": build_execution()}, None)


def _put_receipts(ledger: Ledger, count: int) -> None:
    for number in range(count):
        entry = build_entry("counted", 1, build_record(number, second=number))
        ledger.put(START + number % 3 * HOUR_SECONDS, f"{number:03}", entry)


@pytest.mark.parametrize(
    ("limit", "value", "batches"),
    [("MAX_BATCH_OBJECTS", 500, 1), ("MAX_BATCH_OBJECTS", 4, 3), ("MAX_BATCH_BYTES", 1, 10)],
)
def test_all_receipts_are_in_one_batch_each(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, batches: int
) -> None:
    monkeypatch.setattr(list_unsorted, limit, value)
    _put_receipts(ledger, 10)
    listed = _list()["batches"]
    assert len(listed) == batches
    assert sum(_sort(batch)["receipts"] for batch in listed) == 10
    assert _list()["batches"] == []
    assert list(ledger.store.list_unsorted(0)) == []
    usages = UsageReader(ledger.store, START, START + HOUR_SECONDS).read()
    assert [usage.record.unique_id for usage in usages] == [f"u{number}" for number in range(10)]


def test_more_receipts_than_a_state_can_list_wait_for_the_next_execution(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_unsorted, "MAX_BATCH_OBJECTS", 1)
    monkeypatch.setattr(list_unsorted, "MAX_BATCHES", 2)
    _put_receipts(ledger, 3)
    for sorted_, expected in ((2, 2), (1, 1), (0, 0)):
        batches = _list()["batches"]
        assert len(batches) == expected
        assert sum(_sort(batch)["receipts"] for batch in batches) == sorted_


def test_a_receipt_that_is_stored_after_the_start_is_for_the_next_execution(ledger: Ledger) -> None:
    _put_receipts(ledger, 1)
    assert _list(minutes=-1)["batches"] == []
    assert len(_list()["batches"]) == 1


def test_a_batch_that_is_sorted_again_has_nothing_left(ledger: Ledger) -> None:
    _put_receipts(ledger, 2)
    (batch,) = _list()["batches"]
    assert [_sort(batch) for _ in range(2)] == [{"receipts": 2, "entries": 2}, {"receipts": 0, "entries": 0}]


def test_a_request_is_returned_with_its_lag() -> None:
    assert _list()["request"] == {
        **RANGE,
        "meterApiName": None,
        "tenantId": None,
        "lagSeconds": 14_400,
        "lateUsage": False,
    }


def test_an_invalid_request_is_a_400_that_names_the_field() -> None:
    response = _list({"startTimeInSeconds": START})
    assert response["statusCode"] == 400
    assert response["body"]["details"][0]["field"] == "endTimeInSeconds"


def test_a_damaged_receipt_is_named_and_stays_unsorted(ledger: Ledger) -> None:
    key = ledger.put(START, "a")
    ledger.store.put(key, b"{}")
    with pytest.raises(UnreadableObject, match=key):
        _sort({"after": "", "last": key})
    assert [receipt.key for receipt in ledger.store.list_unsorted(0)] == [key]


def test_a_missing_bucket_is_an_error_that_is_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGER_BUCKET_NAME", "missing")
    with pytest.raises(LedgerUnavailable, match=r"ListObjectsV2 failed \(NoSuchBucket\)"):
        _list()


def _plan(*, late_usage: bool = False, hours: int = 1, **changes: Any) -> list[tuple[int, int]]:
    request = {"startTimeInSeconds": START, "endTimeInSeconds": START + hours * HOUR_SECONDS, "lateUsage": late_usage}
    parts = plan_comparison.handler({"request": request, "execution": build_execution(**changes)}, None)["parts"]
    return [((part["start"] - START) // HOUR_SECONDS, (part["end"] - START) // HOUR_SECONDS) for part in parts]


def test_the_hours_of_a_day_are_a_part() -> None:
    # It starts at 15:00.
    assert _plan(hours=34) == [(0, 9), (9, 33), (33, 34)]


def test_hours_with_much_usage_are_parts_of_their_own(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        ledger.put(START, str(number), build_entry("counted", 1, build_record(number, second=number * HOUR_SECONDS)))
    (batch,) = _list()["batches"]
    _sort(batch)
    monkeypatch.setattr(plan_comparison, "MAX_PART_BYTES", 1)
    assert _plan(hours=5) == [(0, 1), (1, 2), (2, 3), (3, 5)]


def test_late_usage_is_compared_in_its_own_hour_if_that_is_requested(ledger: Ledger) -> None:
    ledger.put(START, "a", build_entry("counted", 1, build_record(1, second=-40 * HOUR_SECONDS)))
    ledger.put(START + 2 * HOUR_SECONDS, "a", build_entry("counted", 7200, build_record(2, second=-50 * HOUR_SECONDS)))
    for batch in _list()["batches"]:
        _sort(batch)
    assert _plan() == [(0, 1)]
    # The second one was counted after the range.
    assert _plan(late_usage=True) == [(-40, -39), (0, 1)]


def test_receipts_are_not_listed_again_once_all_of_their_day_are_sorted(ledger: Ledger) -> None:
    key = ledger.put(START, "a", build_entry("counted", 1, build_record(1)))
    _plan(days=30)
    assert ledger.store.read_sorted_until() == 0
    _sort({"after": "", "last": key})
    _plan(days=30)
    until = ledger.store.read_sorted_until()
    assert until > START
    _plan(days=20)
    assert ledger.store.read_sorted_until() == until
