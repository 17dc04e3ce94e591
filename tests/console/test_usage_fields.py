"""Conversion of rejected usage to form fields and back."""

from typing import Any

import pytest

from amberflo_workflows.console.usage_fields import apply_form, build_fields
from amberflo_workflows.operate.errors import OperatorError

USAGE = {"tenantId": "acme", "meterApiName": 5, "meterValue": "5", "region": "eu", "nested": {"a": [1]}}


def _submit(usage: Any, **changes: str) -> Any:
    """Submit the form of a usage with some fields changed."""
    fields = build_fields(usage)
    return apply_form(usage, {**fields.named, "others": fields.others.replace("\n", "\r\n"), **changes})


@pytest.mark.parametrize("usage", [USAGE, {}, {"meterValue": None, "tenantId": ""}, "text", [1, 2], 5, None])
def test_an_unchanged_form_keeps_the_usage(usage: Any) -> None:
    assert _submit(usage) == usage


@pytest.mark.parametrize(
    ("changes", "member", "value"),
    [
        ({"meterValue": "5"}, "meterValue", 5),
        ({"meterValue": "five"}, "meterValue", "five"),
        ({"meterValue": "NaN"}, "meterValue", "NaN"),
        ({"meterValue": "true"}, "meterValue", True),
        ({"meterTimeInMillis": "1769860800000"}, "meterTimeInMillis", 1_769_860_800_000),
        ({"meterApiName": " 6 "}, "meterApiName", "6"),
        ({"others": '{"region": "us"}'}, "region", "us"),
    ],
)
def test_a_changed_field_replaces_the_member(changes: dict[str, str], member: str, value: object) -> None:
    actual = _submit(USAGE, **changes)[member]
    assert (actual, type(actual)) == (value, type(value))


def test_an_empty_field_removes_the_member() -> None:
    assert _submit(USAGE, meterValue="", tenantId=" ", others="") == {"meterApiName": 5}


def test_usage_that_is_not_an_object_is_replaced() -> None:
    assert _submit("text", others='{"tenantId": "acme"}') == {"tenantId": "acme"}


def test_a_number_and_its_text_are_shown_differently() -> None:
    named = build_fields(USAGE).named
    assert (named["meterValue"], named["meterApiName"]) == ('"5"', "5")


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "Invalid JSON"), ("[1]", "must be an object"), ("[" * 9999, "Invalid JSON")],
)
def test_rejects_text_that_is_not_a_json_object(text: str, message: str) -> None:
    with pytest.raises(OperatorError, match=message):
        _submit(USAGE, others=text)
