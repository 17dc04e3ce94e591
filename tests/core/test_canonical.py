import unicodedata
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amberflo_workflows.core.canonical import format_number, normalize_number, normalize_text, to_millis
from amberflo_workflows.core.meter import parse_meter_changes, parse_new_meter
from amberflo_workflows.core.reported_usage import text_member
from amberflo_workflows.core.tenant import parse_tenant
from amberflo_workflows.core.usage_record import InvalidUsage, UsageRecord, build_record

COMPOSED, DECOMPOSED = "Caf\u00e9", "Cafe\u0301"
USAGE = {"tenantId": "t1", "meterApiName": "api-calls", "meterValue": 3}


def _record(usage: dict[str, Any], event_id: str = "event-1") -> UsageRecord:
    return build_record(usage, event_id=event_id, event_time="2026-11-24T10:00:00Z")


@pytest.mark.parametrize(
    ("number", "canonical"),
    [
        (5, 5),
        (5.0, 5),
        (-0.0, 0),
        (0.1, 0.1),
        (1e15, 10**15),
        (2**63 - 1, 2**63 - 1),
        (2**53 + 1, 2**53 + 1),
        (1e19, 1e19),
        (10**19, 1e19),
        (-(10**30), -1e30),
    ],
)
def test_equal_numbers_have_one_form(number: float, canonical: float) -> None:
    result = normalize_number(number)
    assert (result, type(result)) == (canonical, type(canonical))
    assert _record({**USAGE, "meterValue": number}).meter_value == canonical


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (5, "5"),
        (5.0, "5"),
        (-0.0, "0"),
        (1.10, "1.1"),
        (0.00001, "1e-05"),
        (1e19, "1" + "0" * 19),
        (2**64 + 1, str(2**64 + 1)),
    ],
)
def test_a_number_as_a_dimension_is_text(number: float, text: str) -> None:
    assert format_number(number) == text
    assert _record({**USAGE, "size": number}).dimensions == {"size": text}


@pytest.mark.parametrize(
    ("iso", "millis"),
    [
        ("1970-01-01T00:00:01.999999Z", 1_999),
        ("1970-01-01T00:00:01.9999999+00:00", 1_999),
        ("1970-01-01T01:00:01.123650+01:00", 1_123),
        ("1970-01-01T00:00:01.123", 1_123),
        ("2026-11-30T23:59:59.999999", 1_796_083_199_999),
        ("1969-12-31T23:59:59.9995Z", -1),
    ],
)
def test_a_time_is_the_millisecond_in_which_it_is(iso: str, millis: int) -> None:
    assert to_millis(datetime.fromisoformat(iso)) == millis


@pytest.mark.parametrize("member", ["tenantId", "meterApiName", "uniqueId", "region"])
def test_names_that_look_the_same_are_the_same(member: str) -> None:
    composed, decomposed = (_record({**USAGE, member: text}) for text in (COMPOSED, DECOMPOSED))
    assert composed == decomposed
    assert COMPOSED in {
        composed.customer_id,
        composed.meter_api_name,
        composed.unique_id,
        *composed.dimensions.values(),
    }


def test_names_of_dimensions_are_compared_in_their_canonical_form() -> None:
    assert _record({**USAGE, DECOMPOSED: "x"}).dimensions == {COMPOSED: "x"}
    assert _record({**USAGE, DECOMPOSED: "x", "dimensions": {COMPOSED: "x"}}).dimensions == {COMPOSED: "x"}
    for usage in ({DECOMPOSED: "x", COMPOSED: "y"}, {DECOMPOSED: "x", "dimensions": {COMPOSED: "y"}}):
        with pytest.raises(InvalidUsage, match=f"the dimension '{COMPOSED}' occurs twice, with different values"):
            _record({**USAGE, **usage})


def test_a_length_is_that_of_the_canonical_form() -> None:
    assert _record({**USAGE, "tenantId": "e\u0301" * 200}).customer_id == "\u00e9" * 200
    with pytest.raises(InvalidUsage, match="tenantId has 201 characters"):
        _record({**USAGE, "tenantId": "e\u0301" * 201})
    # U+0958 is two characters in the composed form.
    with pytest.raises(InvalidUsage, match="tenantId has 202 characters"):
        _record({**USAGE, "tenantId": "\u0958" * 101})


@pytest.mark.parametrize("unique_id", ["u-1", " u-1", "u-1\n", "\u00a0u-1\u3000"])
def test_whitespace_around_a_unique_id_does_not_count(unique_id: str) -> None:
    assert _record({**USAGE, "uniqueId": unique_id}).unique_id == "u-1"
    assert _record(USAGE, event_id=unique_id).unique_id == "u-1"


def test_a_whole_number_of_milliseconds_may_have_a_fraction_of_zero() -> None:
    assert _record({**USAGE, "meterTimeInMillis": 1_700_000_000_000.0}).meter_time_in_millis == 1_700_000_000_000
    with pytest.raises(InvalidUsage, match="must be a positive whole number"):
        _record({**USAGE, "meterTimeInMillis": 1_700_000_000_000.5})


def test_tenants_meters_and_rejected_usage_have_the_names_of_the_records() -> None:
    assert parse_tenant({"detail": {"tenantId": DECOMPOSED}}).id == COMPOSED
    assert parse_tenant({"detail": {"tenantId": DECOMPOSED, "tenant": {"tenantId": COMPOSED}}}).id == COMPOSED
    assert text_member({"tenantId": DECOMPOSED}, "tenantId") == COMPOSED
    meter = {"label": "m", "meterApiName": "m", "meterType": "sum_of_all_usage"}
    lists = {"dimensions": [DECOMPOSED], "aggregationDimensions": [DECOMPOSED]}
    for fields in (parse_new_meter({**meter, **lists}), parse_meter_changes(lists)):
        assert (fields.dimensions, fields.aggregation_dimensions) == ([COMPOSED], [COMPOSED])


texts = st.text(st.characters(codec="utf-8"), max_size=12)
scalars = st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
usages = st.fixed_dictionaries(
    {
        "tenantId": texts,
        "meterApiName": texts,
        "meterValue": st.integers() | st.floats(allow_nan=False, allow_infinity=False),
        "uniqueId": texts,
        "dimensions": st.dictionaries(texts, scalars, max_size=4),
    }
)


@given(usages)
def test_a_record_as_a_usage_is_the_same_record(usage: dict[str, Any]) -> None:
    try:
        record = _record(usage)
    except InvalidUsage:
        return
    usage_of_record = {
        "tenantId": record.customer_id,
        "meterApiName": record.meter_api_name,
        "meterValue": record.meter_value,
        "meterTimeInMillis": record.meter_time_in_millis,
        "uniqueId": record.unique_id,
        "dimensions": record.dimensions,
    }
    assert _record(usage_of_record, event_id="another") == record
    assert all(unicodedata.is_normalized("NFC", name) for name in record.dimensions)


@given(texts)
def test_the_forms_of_a_text_have_one_canonical_form(text: str) -> None:
    assert {normalize_text(unicodedata.normalize(form, text)) for form in ("NFC", "NFD")} == {normalize_text(text)}
