"""What rules cancel, and what a second receipt changes: nothing."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from amberflo_workflows.core.receipt import Entry, Outcome
from amberflo_workflows.core.usage_record import UsageRecord
from amberflo_workflows.operate.ledger.explanation import Explanation, explain_usage
from amberflo_workflows.operate.ledger.reader import LedgerEntry

START = 1_795_788_000


def _entry(outcome: Outcome, second: int, content: object) -> LedgerEntry:
    raw = Raw(msgspec.json.encode(content))
    members: Any = {"rule": raw} if outcome == "rule" else {"record": raw}
    time = f"2026-11-27T15:00:{second:02}Z"
    return LedgerEntry(Entry(outcome=outcome, time=time, execution_arn="arn", key_version="v", **members), "key")


def _record(number: int, value: float = 2) -> UsageRecord:
    return UsageRecord("t", "m", value, START * 1000 + number, f"u{number}", {})


def _rule(rule_id: str, first: int, last: int, meter: str = "m") -> dict[str, object]:
    start = 1_795_791_600
    time_range = {"startTimeInSeconds": start + first, "endTimeInSeconds": start + last}
    return {"id": rule_id, "meterApiName": meter, "ingestionTimeRange": time_range}


def _explain(*entries: LedgerEntry) -> Explanation:
    return explain_usage(entries, "m", "t", START, START + 3600)


def _list_cancelled(explanation: Explanation) -> list[str]:
    return [usage.cancelled_by for usage in explanation.usages]


def test_a_rule_cancels_what_was_first_counted_in_its_range() -> None:
    counted = [_entry("counted", second, _record(second)) for second in (10, 19, 20)]
    again = _entry("counted", 15, _record(20))
    # Amberflo has the record since it was first ingested.
    explanation = _explain(*counted, again, _entry("rule", 30, _rule("r", 10, 20)))
    assert _list_cancelled(explanation) == ["rule r", "rule r", "rule r"]
    assert explanation.total == 0


def test_a_rule_ends_before_its_end_and_is_for_one_meter() -> None:
    counted = [_entry("counted", second, _record(second)) for second in (9, 10, 20)]
    explanation = _explain(*counted, _entry("rule", 30, _rule("r", 10, 20)), _entry("rule", 31, _rule("s", 0, 60, "n")))
    assert _list_cancelled(explanation) == ["", "rule r", ""]


@pytest.mark.parametrize("is_reversed", [False, True])
def test_a_rule_replaces_the_rule_with_its_id(is_reversed: bool) -> None:
    entries = [_entry("rule", 30, _rule("r", 0, 60)), _entry("rule", 40, _rule("r", 50, 60))]
    if is_reversed:
        entries.reverse()
    assert _list_cancelled(_explain(_entry("counted", 5, _record(5)), *entries)) == [""]


def test_a_cancelled_record_is_the_same_record_only() -> None:
    entries = [_entry("counted", 1, _record(1)), _entry("counted", 2, _record(2)), _entry("cancelled", 3, _record(1))]
    # Another value, and so another record.
    other = _entry("cancelled", 4, _record(2, value=3))
    explanation = _explain(*entries, other)
    assert _list_cancelled(explanation) == ["arn", ""]
    assert explanation.total == 2
