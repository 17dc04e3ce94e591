import json
from typing import Any

import msgspec
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from amberflo_workflows.core.reported_usage import ReportedUsage, build_rejected_usage, truncate_reason
from amberflo_workflows.core.usage_record import InvalidUsage, UsageRecord, build_record

TIME = "2026-11-24T10:00:00Z"
USAGE = {"tenantId": "t1", "meterApiName": "api-calls", "meterValue": 3, "region": "eu"}


def _record(usage: Any) -> UsageRecord:
    return build_record(usage, event_id="event-1", event_time=TIME)


def _reason(usage: Any) -> str:
    with pytest.raises(InvalidUsage) as error:
        _record(usage)
    return str(error.value)


def test_a_usage_without_identity_or_time_has_those_of_its_event() -> None:
    assert msgspec.to_builtins(_record(USAGE)) == {
        "customerId": "t1",
        "meterApiName": "api-calls",
        "meterValue": 3,
        "meterTimeInMillis": 1_795_514_400_000,
        "uniqueId": "event-1",
        "dimensions": {"region": "eu"},
    }


def test_identity_and_time_of_the_usage_take_precedence() -> None:
    record = _record({**USAGE, "uniqueId": "mine", "meterTimeInMillis": 1_700_000_000_000})
    assert (record.unique_id, record.meter_time_in_millis) == ("mine", 1_700_000_000_000)


def test_dimension_values_become_text_and_empty_ones_are_left_out() -> None:
    record = _record({**USAGE, "dimensions": {"n": 5, "f": 0.5, "yes": True, "no": False, "none": None, "empty": ""}})
    assert record.dimensions == {"f": "0.5", "n": "5", "no": "false", "region": "eu", "yes": "true"}


def test_a_dimension_that_occurs_twice_with_the_same_value_is_one_dimension() -> None:
    assert _record({**USAGE, "dimensions": {"region": "eu"}}).dimensions == {"region": "eu"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"tenantId": None}, "tenantId is missing"),
        ({"tenantId": " "}, "tenantId is empty"),
        ({"tenantId": ["t1"]}, "tenantId must be text, not a list"),
        ({"tenantId": True}, "tenantId must be text, not true or false"),
        ({"meterApiName": None}, "meterApiName is missing"),
        ({"meterApiName": "x" * 51}, "meterApiName has 51 characters, at most 50 are allowed"),
        ({"meterValue": None}, "meterValue is missing"),
        ({"meterValue": "3"}, "meterValue must be a number, not text"),
        ({"meterValue": True}, "meterValue must be a number, not true or false"),
        ({"meterValue": float("nan")}, "meterValue is not a finite number"),
        ({"meterValue": float("inf")}, "meterValue is not a finite number"),
        ({"meterValue": 10**400}, "meterValue is not a finite number"),
        ({"meterTimeInMillis": "today"}, "meterTimeInMillis must be a positive whole number"),
        ({"meterTimeInMillis": -1}, "meterTimeInMillis must be a positive whole number"),
        ({"dimensions": ["a"]}, "dimensions must be an object, not a list"),
        ({"nested": {"a": 1}}, "the dimension 'nested' must be a plain value, not an object"),
        ({"long": "x" * 201}, "the dimension 'long' has 201 characters, at most 200 are allowed"),
        ({"dimensions": {"": "x"}}, "a dimension's name has 0 characters"),
        ({"dimensions": {"region": "us"}}, "the dimension 'region' occurs twice, with different values"),
        ({"region": "\ud800"}, "it contains text that is not valid Unicode"),
        ({"uniqueId": ""}, "uniqueId is empty"),
    ],
)
def test_an_invalid_usage_is_rejected_with_the_reason(change: dict[str, Any], reason: str) -> None:
    assert _reason({**USAGE, **change}).startswith(reason)


@pytest.mark.parametrize(
    ("usage", "kind"), [("text", "text"), ([], "a list"), (None, "null"), (3, "a number"), (True, "true or false")]
)
def test_a_usage_that_is_not_an_object_is_rejected(usage: Any, kind: str) -> None:
    assert _reason(usage) == f"a usage must be an object, not {kind}"


def test_a_usage_without_any_time_is_rejected() -> None:
    with pytest.raises(InvalidUsage, match="there is no time"):
        build_record(USAGE, event_id="event-1", event_time="")


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
usages = st.fixed_dictionaries(
    {
        "tenantId": st.text(st.characters(codec="utf-8"), min_size=1, max_size=20),
        "meterApiName": st.text("abc-_", min_size=1, max_size=50),
        "meterValue": st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    },
    optional={"dimensions": st.dictionaries(st.text(min_size=1, max_size=10), scalars, max_size=5), "extra": scalars},
)


@given(usages)
@example({**USAGE, "dimensions": {"b": 10**200, "a": 10**200}})
@example({**USAGE, "dimensions": {"b": "1", "a": "2"}})
def test_the_record_does_not_depend_on_the_order_of_members_or_on_reencoding(usage: dict[str, Any]) -> None:
    def encode_or_error(usage: Any) -> bytes | str:
        try:
            return msgspec.json.encode(_record(usage))
        except InvalidUsage as error:
            return str(error)

    shuffled = dict(reversed(usage.items()))
    if "dimensions" in usage:
        shuffled["dimensions"] = dict(reversed(usage["dimensions"].items()))
    expected = encode_or_error(usage)
    assert encode_or_error(shuffled) == expected
    assert encode_or_error(json.loads(json.dumps(usage))) == expected


# As in JSON, where "\\ud800" is a lone surrogate.
texts = st.text(st.characters() | st.just("\ud800"), max_size=8)
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
almost_usages = st.fixed_dictionaries(
    {},
    optional={
        "tenantId": st.just("t") | any_json,
        "meterApiName": st.just("m") | any_json,
        "meterValue": st.just(1) | any_json,
        "meterTimeInMillis": st.integers(1) | any_json,
        "uniqueId": texts | any_json,
        "dimensions": st.dictionaries(texts, any_json, max_size=3) | any_json,
        "more": any_json,
    },
)


@given(almost_usages | any_json, st.sampled_from([TIME, ""]) | texts)
@example({**USAGE, "meterValue": 10**4000}, TIME)
@example({**USAGE, "tenantId": 10**4000}, TIME)
def test_any_usage_is_rejected_or_becomes_a_record_that_can_be_decoded(usage: Any, time: str) -> None:
    try:
        record = build_record(usage, event_id="event-1", event_time=time)
    except InvalidUsage:
        pass
    else:
        assert msgspec.json.decode(msgspec.json.encode(record), type=UsageRecord) == record


words = st.text("aé😀,:'\"\\\\{}", min_size=1, max_size=5)
exact_usages = st.fixed_dictionaries(
    {
        "tenantId": words,
        "meterApiName": words,
        "meterValue": st.integers(),
        "meterTimeInMillis": st.integers(1),
        "uniqueId": words,
        "dimensions": st.dictionaries(words, words, max_size=3),
    }
)


@given(exact_usages, exact_usages, st.sets(st.sampled_from(["uniqueId", "tenantId", "meterValue", "dimensions"])))
def test_different_usages_are_different_records(usage: dict[str, Any], other: dict[str, Any], same: set[str]) -> None:
    other |= {member: usage[member] for member in same}
    assume(other != usage)
    assert msgspec.json.encode(_record(other)) != msgspec.json.encode(_record(usage))


valid_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(usage=valid_json, other=valid_json, own=st.booleans())
def test_a_rejected_usage_has_the_same_id_in_every_delivery_and_different_usages_have_different_ids(
    usage: Any, other: Any, *, own: bool
) -> None:
    if own:
        usage, other = ({"uniqueId": "u", "meterTimeInMillis": 5, "x": value} for value in (usage, other))

    def rejected_id(reported: Any, event: str = "e", place: int = 0) -> str:
        text = msgspec.json.encode(ReportedUsage(event, TIME, place, reported))
        return build_rejected_usage(msgspec.json.decode(text, type=ReportedUsage), place, "")["id"]

    reordered = dict(reversed(usage.items())) if isinstance(usage, dict) else usage
    assert rejected_id(json.loads(json.dumps(reordered)), place=7) == rejected_id(usage)
    # The event is part of the id only if the usage has no identity of its own.
    assert (rejected_id(usage, event="f") == rejected_id(usage)) == own
    assume(json.dumps(usage, sort_keys=True) != json.dumps(other, sort_keys=True))
    assert rejected_id(other) != rejected_id(usage)


@given(st.text(st.characters() | st.sampled_from('"\x00'), max_size=600))
def test_a_reason_is_truncated_to_its_maximum_size(text: str) -> None:
    reason = truncate_reason(text)
    assert text.startswith(reason)
    assert len(json.dumps(reason)) - 2 <= 250
    assert reason == text or len(json.dumps(text[: len(reason) + 1])) - 2 > 250
