"""A refused usage as the fields of a form, and back."""

from typing import Any

import pytest

from amberflo_workflows.console.usage_fields import fields_of, mended
from amberflo_workflows.operate.errors import OperatorError

USAGE = {"tenantId": "acme", "meterApiName": 5, "meterValue": "5", "region": "eu", "nested": {"a": [1]}}


def _filled(usage: Any, **changes: str) -> Any:
    """What becomes of a usage in whose form something is typed."""
    fields = fields_of(usage)
    return mended(usage, {**fields.named, "others": fields.others.replace("\n", "\r\n"), **changes})


@pytest.mark.parametrize("usage", [USAGE, {}, {"meterValue": None, "tenantId": ""}, "text", [1, 2], 5, None])
def test_what_was_not_touched_is_as_it_was(usage: Any) -> None:
    assert _filled(usage) == usage


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
def test_what_was_typed_takes_its_place(changes: dict[str, str], member: str, value: object) -> None:
    found = _filled(USAGE, **changes)[member]
    assert (found, type(found)) == (value, type(value))


def test_a_field_left_empty_is_left_out() -> None:
    assert _filled(USAGE, meterValue="", tenantId=" ", others="") == {"meterApiName": 5}


def test_what_is_no_object_is_replaced_whole() -> None:
    assert _filled("text", others='{"tenantId": "acme"}') == {"tenantId": "acme"}


def test_the_text_of_a_number_can_be_told_from_a_number() -> None:
    named = fields_of(USAGE).named
    assert (named["meterValue"], named["meterApiName"]) == ('"5"', "5")


@pytest.mark.parametrize(
    ("typed", "told"), [("{", "cannot be read"), ("[1]", "has to be an object"), ("[" * 9999, "read")]
)
def test_what_is_no_json_object_is_told(typed: str, told: str) -> None:
    with pytest.raises(OperatorError, match=told):
        _filled(USAGE, others=typed)
