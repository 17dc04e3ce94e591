"""A record is built in one of two ways. The quick one builds what the other would build, or leaves the usage to it."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from amberflo_workflows.core.usage_record import InvalidUsage, _build_any_record, _build_plain_record, build_record

TIME, ID = "2026-11-24T10:00:00Z", "event-1"
USAGE = {"tenantId": "t", "meterApiName": "m", "meterValue": 3, "uniqueId": "u", "meterTimeInMillis": 1_700_000_000_000}


def _encode_or_reason(build: Any, *args: Any, **kwargs: Any) -> bytes | str:
    """Return the record as Amberflo receives it, or why there is none."""
    try:
        return msgspec.json.encode(build(*args, **kwargs))
    except InvalidUsage as error:
        return str(error)


def _is_plain(usage: Any, event_id: str = ID, event_time: str = TIME, reason: str = "") -> bool:
    """Whether the quick way accepts a usage; after comparing the outcome with that of the other way."""
    expected = _encode_or_reason(_build_any_record, usage, event_id, event_time, reason)
    actual = _encode_or_reason(build_record, usage, event_id=event_id, event_time=event_time, reason=reason)
    assert actual == expected
    try:
        return _build_plain_record(usage, event_id, event_time, reason) is not None
    except InvalidUsage:
        return False


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"dimensions": {"b": "x", "a": "y"}},
        {"b": "x", "a": "y"},
        {"b": "x", "dimensions": {"a": "y", "c": "z"}},
        {"dimensions": {"n": 5, "f": 0.5, "whole": 5.0, "yes": True, "no": False, "large": 10**100}},
        {"dimensions": {"é": "日"}, "tenantId": "Café", "uniqueId": "é 1"},
        {"dimensions": None},
        {"dimensions": {}},
        {"dimensions": ""},
        {"dimensions": {"x" * 200: "y" * 200}},
        {"tenantId": " t ", "meterApiName": "x" * 50},
        {"meterValue": 3.5},
        {"meterValue": 5.0},
        {"meterValue": 2**63},
        {"meterValue": -(2**63)},
        {"meterValue": 10**300},
        {"meterTimeInMillis": 1_700_000_000_000.0},
        {"meterTimeInMillis": None},
    ],
)
def test_a_plain_usage_has_the_record_of_any_other(change: dict[str, Any]) -> None:
    assert _is_plain({**USAGE, **change})


def test_a_plain_usage_may_have_the_identity_and_time_of_its_event() -> None:
    assert _is_plain({"tenantId": "t", "meterApiName": "m", "meterValue": 3})


@pytest.mark.parametrize(
    "change",
    [
        {"tenantId": "Cafe\u0301"},
        {"meterApiName": "\u212b"},
        {"uniqueId": " u"},
        {"uniqueId": "e\u0301"},
        {"uniqueId": None},
        {"uniqueId": 5},
        {"uniqueId": ""},
        {"uniqueId": "x" * 201},
        {"uniqueId": "\ud800"},
        {"tenantId": 5},
        {"tenantId": " "},
        {"tenantId": "\u3000"},
        {"tenantId": ""},
        {"tenantId": None},
        {"tenantId": "x" * 201},
        {"tenantId": "\ud800"},
        {"tenantId": True},
        {"tenantId": {"givenTwice": ["t", "u"]}},
        {"meterApiName": "x" * 51},
        {"meterApiName": "\n"},
        {"meterApiName": ["m"]},
        {"meterValue": True},
        {"meterValue": "3"},
        {"meterValue": None},
        {"meterValue": 10**400},
        {"meterValue": float("nan")},
        {"meterValue": float("inf")},
        {"meterValue": {"givenTwice": [1, 2]}},
        {"meterTimeInMillis": 0},
        {"meterTimeInMillis": -5},
        {"meterTimeInMillis": 1.5},
        {"meterTimeInMillis": True},
        {"meterTimeInMillis": "today"},
        {"dimensions": ["a"]},
        {"dimensions": "a"},
        {"dimensions": {"givenTwice": [{}, {}]}},
        {"dimensions": {"a": {"givenTwice": [1, 2]}}},
        {"dimensions": {"a": None}},
        {"dimensions": {"a": ""}},
        {"dimensions": {"": "a"}},
        {"dimensions": {"a": []}},
        {"dimensions": {"a": {}}},
        {"dimensions": {"a": 10**200}},
        {"dimensions": {"a": "x" * 201}},
        {"dimensions": {"x" * 201: "a"}},
        {"dimensions": {"a": "e\u0301"}},
        {"dimensions": {"e\u0301": "a"}},
        {"dimensions": {"e\u0301": "", "é": "a"}},
        {"dimensions": {"e\u0301": "b", "é": "a"}},
        {"dimensions": {"a": "\ud800"}},
        {"dimensions": {"\ud800": "a"}},
        {"a": "x", "dimensions": {"a": "x"}},
        {"a": "x", "dimensions": {"a": "y"}},
        {"a": None, "dimensions": {"a": "y"}},
        {"z": [], "dimensions": {"a": {}}},
        {"a": {"givenTwice": [1, 1]}, "z": []},
        {"givenTwice": ["a", "b"]},
    ],
)
def test_an_odd_usage_is_not_plain(change: dict[str, Any]) -> None:
    assert not _is_plain({**USAGE, **change})


@pytest.mark.parametrize("usage", [None, "text", [], 5, True, {}])
@pytest.mark.parametrize("reason", ["", "the row has no time"])
def test_what_is_no_usage_is_not_plain(usage: Any, reason: str) -> None:
    assert not _is_plain(usage, reason=reason)


@pytest.mark.parametrize(
    ("event_id", "event_time", "reason"),
    [
        ("", TIME, ""),
        (" e ", TIME, ""),
        ("x" * 201, TIME, ""),
        ("e\u0301", TIME, ""),
        (ID, "", ""),
        (ID, "soon", ""),
        (ID, TIME, "the row has no time"),
    ],
)
def test_a_usage_of_an_odd_event_is_not_plain(event_id: str, event_time: str, reason: str) -> None:
    assert not _is_plain({"tenantId": "t", "meterApiName": "m", "meterValue": 3}, event_id, event_time, reason)


texts = st.text(st.sampled_from("aZ é日\u0301\u212b\ud800\x00\n"), max_size=4) | st.sampled_from(["x" * 200, "x" * 201])
numbers = st.integers() | st.integers(2**63 - 2, 2**64) | st.floats()
scalars = st.none() | st.booleans() | numbers | texts
members = st.dictionaries(texts | st.sampled_from(["a", "b", "givenTwice"]), scalars | st.lists(scalars, max_size=2))
almost_usages = st.fixed_dictionaries(
    {},
    optional={
        "tenantId": st.just("t") | scalars | members,
        "meterApiName": st.just("m") | scalars,
        "meterValue": st.just(1) | numbers | scalars,
        "meterTimeInMillis": st.just(5) | numbers | scalars,
        "uniqueId": st.just("u") | scalars,
        "dimensions": st.dictionaries(texts, texts, max_size=3) | members | scalars,
        "a": texts | scalars | members,
        "é": texts,
    },
)
plain_usages = st.fixed_dictionaries(
    {"tenantId": st.just("t"), "meterApiName": st.just("m"), "meterValue": numbers},
    optional={
        "dimensions": st.dictionaries(texts, scalars, max_size=3),
        "uniqueId": texts,
        "a": scalars,
        "e\u0301": texts,
        "é": texts,
    },
)


# Most of these are plain.
plain_texts = st.text("aé日😀 b", min_size=1, max_size=5).map("x{}x".format)
plain_numbers = st.integers(-9, 9) | st.floats(0, 9)
nearly_plain_usages = st.builds(
    lambda outer, inner, change: {**USAGE, **outer, "dimensions": inner, **change},
    st.dictionaries(plain_texts, plain_texts | plain_numbers, max_size=2),
    st.dictionaries(plain_texts, plain_texts | plain_numbers | st.booleans(), max_size=3),
    st.just({}) | st.dictionaries(st.sampled_from([*USAGE, "dimensions"]), scalars, max_size=1),
)


@given(nearly_plain_usages)
def test_a_nearly_plain_usage_has_one_outcome(usage: dict[str, Any]) -> None:
    _is_plain(usage)


@given(
    almost_usages | plain_usages | members,
    texts | st.just(ID),
    st.sampled_from([TIME, "", "x"]),
    st.sampled_from(["", "r"]),
)
@example({**USAGE, "dimensions": {"b": 10**200, "a": 10**200}}, ID, TIME, "")
def test_any_usage_has_one_outcome(usage: dict[str, Any], event_id: str, event_time: str, reason: str) -> None:
    _is_plain(usage, event_id, event_time, reason)
    _is_plain(json.loads(json.dumps(usage)), event_id, event_time, reason)
