"""Usage that is rebuilt of a record: the same bytes, in an order in which the same version counts."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from amberflo_workflows.core.ledger import replay
from amberflo_workflows.core.ledger.replay import RecordNotRebuilt, build_usage, iter_waves
from amberflo_workflows.core.ledger.usages import LedgerUsage
from amberflo_workflows.core.reported_usage import ReportedUsage
from amberflo_workflows.core.usage_record import InvalidUsage, UsageRecord, build_record
from tests.core.ledger.entries import build_entry
from tests.core.ledger.entries import build_record as build_plain_record

TIME = "2026-11-24T10:00:00Z"
USAGE = {"tenantId": "t", "meterApiName": "m", "meterValue": 3, "uniqueId": "u", "meterTimeInMillis": 1_700_000_000_000}

MEMBERS = ["tenantId", "meterApiName", "meterValue", "meterTimeInMillis", "uniqueId", "dimensions", "customerId"]
texts = st.text(st.sampled_from('aZ é日😀\u0301\u212b\x00\n"\\/|'), max_size=4) | st.sampled_from(["x" * 200])
names = st.sampled_from([*MEMBERS, "givenTwice"]) | texts
values = st.integers() | st.integers(2**53 - 2, 2**64) | st.floats() | st.sampled_from([0.1, 1e300, 5e-324, -0.0, 1e22])
odd_usages = st.builds(
    lambda outer, inner, change: {**outer, **USAGE, "dimensions": inner, **change},
    st.dictionaries(names, texts | values | st.booleans(), max_size=3),
    st.dictionaries(names, texts | values | st.booleans() | st.none(), max_size=4),
    st.fixed_dictionaries(
        {},
        optional={
            "tenantId": texts | st.integers(),
            "meterApiName": texts,
            "meterValue": values,
            "uniqueId": st.none() | texts | st.integers(),
            "meterTimeInMillis": st.none() | st.integers(1, 2**53) | st.floats(1, 2**53),
        },
    ),
)


def _count(record: UsageRecord, second: int = 0, **members: Any) -> LedgerUsage:
    """A usage of the ledger that was counted so many seconds after the start of the hour."""
    entry = build_entry("counted", second, record, **{"event_id": "event-1", "index": 4, **members})
    content = msgspec.json.encode(record)
    return LedgerUsage(msgspec.json.decode(content, type=UsageRecord), content, [entry], "", entry.time)


def _build_sent_record(reported: ReportedUsage) -> bytes:
    """The record that a step builds, to which Step Functions passes the usage as JSON."""
    reported = msgspec.convert(json.loads(msgspec.json.encode(reported)), ReportedUsage)
    return msgspec.json.encode(build_record(reported.usage, event_id=reported.event_id, event_time=reported.event_time))


@given(odd_usages, texts | st.sampled_from(["event-1", "x" * 400, " "]))
@example({**USAGE, "uniqueId": None}, "")
@example({**USAGE, "uniqueId": None}, "é" * 201)
@example({**USAGE, "dimensions": dict.fromkeys(MEMBERS, "x")}, "event-1")
def test_a_rebuilt_usage_has_the_record_that_was_counted(usage: dict[str, Any], event_id: str) -> None:
    try:
        record = build_record(usage, event_id=event_id, event_time=TIME)
    except InvalidUsage:
        assume(False)
    counted = _count(record)
    assert _build_sent_record(build_usage(counted)) == counted.content


def test_a_rebuilt_usage_has_the_event_that_brought_it_first() -> None:
    usage = _count(build_plain_record(1))
    later = build_entry("counted", 9, usage.record, event_id="event-2")
    reported = build_usage(usage._replace(counted=[*usage.counted, later]))
    assert (reported.event_id, reported.index, reported.usage["uniqueId"]) == ("event-1", 4, "u1")


def test_a_usage_that_is_rejected_is_a_new_item_once_it_was_counted_again() -> None:
    usage = _count(build_plain_record(1))
    other, later = _count(build_plain_record(2)), build_entry("counted", 9, usage.record)
    ids = {build_usage(item).rejected_id for item in (usage, other, usage._replace(counted=[*usage.counted, later]))}
    assert len(ids) == 3
    assert build_usage(usage).rejected_id == build_usage(usage).rejected_id


@pytest.mark.parametrize(
    "content",
    [
        # A dimension that is not in the order of names, and one that is empty.
        {"dimensions": {"b": "x", "a": "y"}},
        {"dimensions": {"a": ""}},
        {"meterValue": 5.0},
        {"uniqueId": " u"},
        {"customerId": "Cafe\u0301"},
        {"customerId": ""},
    ],
)
def test_a_record_in_another_form_is_not_sent(content: dict[str, Any]) -> None:
    members = {**msgspec.to_builtins(build_plain_record(1)), **content}
    text = json.dumps(members, separators=(",", ":"), ensure_ascii=False).encode()
    usage = _count(build_plain_record(1))._replace(content=text, record=msgspec.json.decode(text, type=UsageRecord))
    with pytest.raises(RecordNotRebuilt, match="hour=15/a"):
        build_usage(usage)


def _list_waves(usages: Sequence[LedgerUsage]) -> list[list[tuple[str, float]]]:
    ordered = sorted(usages, key=lambda usage: (usage.record.meter_time_in_millis, usage.content))
    return [[(usage.record.unique_id, usage.record.meter_value) for usage in wave] for wave in iter_waves(ordered)]


def test_the_value_that_was_counted_last_is_sent_last() -> None:
    values = {1: [(9, 20), (10, 10)], 2: [(5, 0)], 3: [(1, 30), (2, 20), (3, 10)]}
    usages = [
        _count(build_plain_record(number, value=value), second)
        for number, versions in values.items()
        for value, second in versions
    ]
    assert [sorted(wave) for wave in _list_waves(usages)] == [
        [("u1", 10), ("u2", 5), ("u3", 3)],
        [("u1", 9), ("u3", 2)],
        [("u3", 1)],
    ]


@pytest.mark.parametrize(
    "change", [{"tenant": "other"}, {"meter": "other"}, {"second": 1}], ids=lambda change: next(iter(change))
)
def test_usage_of_others_is_in_the_first_wave(change: dict[str, Any]) -> None:
    usages = [_count(build_plain_record(1, value=1)), _count(build_plain_record(1, value=2, **change), 5)]
    assert [len(wave) for wave in _list_waves(usages)] == [2]


def test_usage_with_other_dimensions_is_another_usage() -> None:
    record = build_plain_record(1)
    usages = [_count(record), _count(msgspec.structs.replace(record, dimensions={"region": "eu"}), 5)]
    assert [len(wave) for wave in _list_waves(usages)] == [2]


def test_versions_are_sent_in_between_if_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "MAX_HELD_USAGES", 2)
    usages = [_count(build_plain_record(n, n, value=value), value) for n in range(5) for value in (1, 2)]
    assert _list_waves(usages) == [
        [("u0", 1), ("u1", 1)],
        [("u0", 2), ("u1", 2)],
        [("u2", 1), ("u3", 1)],
        [("u2", 2), ("u3", 2)],
        [("u4", 1)],
        [("u4", 2)],
    ]


def test_no_usage_has_no_wave() -> None:
    assert _list_waves([]) == []
