import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amberflo_workflows.tasks.usage_record import UsageRecord, UsageRefused, record_of

TIME = "2026-11-24T10:00:00Z"
USAGE = {"tenantId": "t1", "meterApiName": "api-calls", "meterValue": 3, "region": "eu"}


def _record(usage: Any) -> UsageRecord:
    return record_of(usage, event_id="event-1", event_time=TIME)


def _refusal(usage: Any) -> str:
    with pytest.raises(UsageRefused) as refused:
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
    with pytest.raises(UsageRefused, match="there is no time"):
        record_of(USAGE, event_id="event-1", event_time="")


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
        except UsageRefused as refused:
            return str(refused)

    shuffled = dict(reversed(usage.items()))
    if "dimensions" in usage:
        shuffled["dimensions"] = dict(reversed(usage["dimensions"].items()))
    first = bytes_or_refusal(usage)
    assert bytes_or_refusal(shuffled) == first
    assert bytes_or_refusal(json.loads(json.dumps(usage))) == first
