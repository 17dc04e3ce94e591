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


def _refusal(usage: Any) -> str:
    with pytest.raises(InvalidUsage) as refused:
        _record(usage)
    return str(refused.value)


def test_an_event_without_identity_or_time_takes_those_of_its_envelope() -> None:
    assert msgspec.to_builtins(_record(USAGE)) == {
        "customerId": "t1",
        "meterApiName": "api-calls",
        "meterValue": 3,
        "meterTimeInMillis": 1_795_514_400_000,
        "uniqueId": "event-1",
        "dimensions": {"region": "eu"},
    }


def test_identity_and_time_of_the_usage_come_first() -> None:
    record = _record({**USAGE, "uniqueId": "mine", "meterTimeInMillis": 1_700_000_000_000})
    assert (record.unique_id, record.meter_time_in_millis) == ("mine", 1_700_000_000_000)


def test_scalars_become_text_and_nothing_becomes_no_dimension() -> None:
    record = _record({**USAGE, "dimensions": {"n": 5, "f": 0.5, "yes": True, "no": False, "none": None, "empty": ""}})
    assert record.dimensions == {"f": "0.5", "n": "5", "no": "false", "region": "eu", "yes": "true"}


def test_a_dimension_given_twice_alike_is_one() -> None:
    assert _record({**USAGE, "dimensions": {"region": "eu"}}).dimensions == {"region": "eu"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"tenantId": None}, "tenantId is missing"),
        ({"tenantId": " "}, "tenantId is empty"),
        ({"tenantId": ["t1"]}, "tenantId must be text, this is a list"),
        ({"tenantId": True}, "tenantId must be text, this is true or false"),
        ({"meterApiName": None}, "meterApiName is missing"),
        ({"meterApiName": "x" * 51}, "meterApiName has 51 characters, at most 50 are allowed"),
        ({"meterValue": None}, "meterValue is missing"),
        ({"meterValue": "3"}, "meterValue must be a number, this is text"),
        ({"meterValue": True}, "meterValue must be a number, this is true or false"),
        ({"meterValue": float("nan")}, "meterValue is not a finite number"),
        ({"meterValue": float("inf")}, "meterValue is not a finite number"),
        ({"meterValue": 10**400}, "meterValue is not a finite number"),
        ({"meterTimeInMillis": "today"}, "meterTimeInMillis must be a positive whole number"),
        ({"meterTimeInMillis": -1}, "meterTimeInMillis must be a positive whole number"),
        ({"dimensions": ["a"]}, "dimensions must be an object, this is a list"),
        ({"nested": {"a": 1}}, "the dimension 'nested' must be a plain value, this is an object"),
        ({"long": "x" * 201}, "the dimension 'long' has 201 characters, at most 200 are allowed"),
        ({"dimensions": {"": "x"}}, "a dimension's name has 0 characters"),
        ({"dimensions": {"region": "us"}}, "the dimension 'region' is given twice, with different values"),
        ({"region": "\ud800"}, "a text in it is not valid Unicode"),
        ({"uniqueId": ""}, "uniqueId is empty"),
    ],
)
def test_a_wrong_usage_is_refused_with_its_reason(change: dict[str, Any], reason: str) -> None:
    assert _refusal({**USAGE, **change}).startswith(reason)


@pytest.mark.parametrize(
    ("usage", "kind"), [("text", "text"), ([], "a list"), (None, "null"), (3, "a number"), (True, "true or false")]
)
def test_what_is_no_object_is_refused(usage: Any, kind: str) -> None:
    assert _refusal(usage) == f"a usage must be an object, this is {kind}"


def test_without_any_time_a_usage_is_refused() -> None:
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
def test_the_record_does_not_depend_on_the_order_of_members_or_on_a_trip_through_json(usage: dict[str, Any]) -> None:
    def bytes_or_refusal(given: Any) -> bytes | str:
        try:
            return msgspec.json.encode(_record(given))
        except InvalidUsage as refused:
            return str(refused)

    shuffled = dict(reversed(usage.items()))
    if "dimensions" in usage:
        shuffled["dimensions"] = dict(reversed(usage["dimensions"].items()))
    first = bytes_or_refusal(usage)
    assert bytes_or_refusal(shuffled) == first
    assert bytes_or_refusal(json.loads(json.dumps(usage))) == first


# As JSON can have it; half a character is one that "\\ud800" is read as.
texts = st.text(st.characters() | st.just("\ud800"), max_size=8)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
almost_usages = st.fixed_dictionaries(
    {},
    optional={
        "tenantId": st.just("t") | anything,
        "meterApiName": st.just("m") | anything,
        "meterValue": st.just(1) | anything,
        "meterTimeInMillis": st.integers(1) | anything,
        "uniqueId": texts | anything,
        "dimensions": st.dictionaries(texts, anything, max_size=3) | anything,
        "more": anything,
    },
)


@given(almost_usages | anything, st.sampled_from([TIME, ""]) | texts)
@example({**USAGE, "meterValue": 10**4000}, TIME)
@example({**USAGE, "tenantId": 10**4000}, TIME)
def test_whatever_is_reported_is_a_record_that_can_be_read_again_or_is_refused(usage: Any, time: str) -> None:
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
def test_usages_that_differ_in_anything_are_different_records(
    usage: dict[str, Any], other: dict[str, Any], alike: set[str]
) -> None:
    other |= {member: usage[member] for member in alike}
    assume(other != usage)
    assert msgspec.json.encode(_record(other)) != msgspec.json.encode(_record(usage))


json_only = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(usage=json_only, other=json_only, own=st.booleans())
def test_a_refused_usage_has_one_identity_in_every_delivery_and_no_other_has_it(
    usage: Any, other: Any, *, own: bool
) -> None:
    if own:
        usage, other = ({"uniqueId": "u", "meterTimeInMillis": 5, "x": one} for one in (usage, other))

    def identity(reported: Any, event: str = "e", place: int = 0) -> str:
        way = msgspec.json.encode(ReportedUsage(event, TIME, place, reported))
        return build_rejected_usage(msgspec.json.decode(way, type=ReportedUsage), place, "")["id"]

    again = dict(reversed(usage.items())) if isinstance(usage, dict) else usage
    assert identity(json.loads(json.dumps(again)), place=7) == identity(usage)
    # What has no identity of its own is told apart by its event.
    assert (identity(usage, event="f") == identity(usage)) == own
    assume(json.dumps(usage, sort_keys=True) != json.dumps(other, sort_keys=True))
    assert identity(other) != identity(usage)


@given(st.text(st.characters() | st.sampled_from('"\x00'), max_size=600))
def test_a_reason_is_the_beginning_of_what_was_said_as_far_as_it_fits(text: str) -> None:
    reason = truncate_reason(text)
    assert text.startswith(reason)
    assert len(json.dumps(reason)) - 2 <= 250
    assert reason == text or len(json.dumps(text[: len(reason) + 1])) - 2 > 250
