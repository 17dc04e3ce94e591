"""Conversion of rejected usage to form fields and back."""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from amberflo_workflows.core.json_text import parse_json
from amberflo_workflows.operate.errors import OperatorError

# These fields hold plain text. The others hold JSON, which distinguishes the number 5 from the text "5".
_TEXT_FIELDS: Final = ("tenantId", "meterApiName")
FIELD_NAMES: Final = (*_TEXT_FIELDS, "meterValue", "meterTimeInMillis")


class UsageFields(NamedTuple):
    """The values of the form's fields: ``named`` for members with their own field, ``others`` as JSON text.

    If the usage is not a JSON object, ``named`` is empty and ``others`` is all of it.
    """

    named: dict[str, str]
    others: str


def build_fields(usage: Any) -> UsageFields:
    """Build the form fields for a usage."""
    if not isinstance(usage, dict):
        return UsageFields({}, format_json(usage))
    named = {name: _format_field(name, usage[name]) if name in usage else "" for name in FIELD_NAMES}
    return UsageFields(named, format_json({name: value for name, value in usage.items() if name not in FIELD_NAMES}))


def apply_form(usage: Any, values: Mapping[str, str]) -> Any:
    """Return the usage with the values of a submitted form. An empty field removes its member.

    Members whose field was not edited keep their exact value. Raises :class:`OperatorError` if the JSON is invalid.
    """
    before = build_fields(usage)
    others = usage if not isinstance(usage, dict) else {k: v for k, v in usage.items() if k not in FIELD_NAMES}
    text = values.get("others", "").replace("\r\n", "\n")
    if text.strip() != before.others.strip():
        others = _parse_object(text or "{}")
    if not before.named:
        return others
    named: dict[str, Any] = {}
    for name in FIELD_NAMES:
        text = values.get(name, "")
        if text == before.named[name] and name in usage:
            named[name] = usage[name]
        elif text.strip():
            named[name] = _parse_field(name, text)
    return {**named, **others}


def apply_changes(usage: Any, values: Mapping[str, str]) -> dict[str, Any]:
    """Return the usage with the members that have a value; an empty field leaves its member unchanged.

    Raises :class:`OperatorError` if the usage is not a JSON object.
    """
    if not isinstance(usage, dict):
        raise OperatorError(
            "Some of the usages are not JSON objects, so their members cannot be changed. Nothing was changed. "
            "Edit these usages one by one."
        )
    return {**usage, **{name: _parse_field(name, text) for name, text in values.items() if text.strip()}}


def format_json(value: Any) -> str:
    """Format a value as indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def format_value(value: Any) -> str:
    """Format a value as JSON in one line; text stays as it is."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _format_field(name: str, value: Any) -> str:
    return format_value(value) if name in _TEXT_FIELDS else json.dumps(value, ensure_ascii=False)


def _parse_field(name: str, text: str) -> Any:
    return text.strip() if name in _TEXT_FIELDS else parse_json(text.strip())


def _parse_object(text: str) -> dict[str, Any]:
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise OperatorError(f"Invalid JSON: {error}.") from None
    value = parse_json(text)
    if not isinstance(value, dict):
        raise OperatorError("The JSON must be an object: {…}.")
    return value
