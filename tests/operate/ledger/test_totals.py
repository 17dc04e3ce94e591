"""Sums of the ledger, whatever the order of its entries and however often they come."""

import msgspec
from msgspec import Raw

from amberflo_workflows.core.receipt import Entry, Outcome
from amberflo_workflows.core.usage_record import UsageRecord
from amberflo_workflows.operate.ledger.reader import LedgerEntry
from amberflo_workflows.operate.ledger.totals import Hour, LedgerTotals

START = 1_795_788_000


def _entry(outcome: Outcome, record: UsageRecord, second: int = 0) -> LedgerEntry:
    time = f"2026-11-27T15:00:{second:02}Z"
    raw = Raw(msgspec.json.encode(record))
    return LedgerEntry(Entry(outcome=outcome, time=time, execution_arn="arn", key_version="v", record=raw), "key")


def _record(number: int, second: int = 0, value: float = 0.1) -> UsageRecord:
    return UsageRecord("t", "m", value, (START + second) * 1000, f"u{number}", {})


def _compute(*entries: LedgerEntry) -> dict[Hour, float]:
    totals = LedgerTotals()
    totals.add(entries, START, START + 7200)
    return totals.compute()


def test_a_sum_is_exact_for_every_order_and_every_redelivery() -> None:
    entries = [_entry("counted", _record(number)) for number in range(1000)]
    entries += entries[:100]
    cancelled = [_entry("cancelled", _record(number)) for number in range(10)]
    expected = {Hour("m", "t", START): 99.0}
    assert _compute(*entries, *cancelled) == expected
    assert _compute(*cancelled, *reversed(entries)) == expected
    assert _compute(*entries[::2], *cancelled, *entries[1::2]) == expected


def test_an_hour_starts_at_its_first_millisecond() -> None:
    seconds = [-1, 0, 3599, 3600, 7199, 7200]
    entries = [_entry("counted", _record(number, second, 1)) for number, second in enumerate(seconds)]
    assert _compute(*entries) == {Hour("m", "t", START): 2, Hour("m", "t", START + 3600): 2}


def test_a_cancellation_of_what_was_never_counted_changes_nothing() -> None:
    assert _compute(_entry("cancelled", _record(1))) == {}
