"""A refused usage as the fields of a form, and back."""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from amberflo_workflows.core.json_text import parse_json
from amberflo_workflows.operate.errors import OperatorError

# Of these the text is what is meant; of the others the JSON, which tells the number 5 from the text "5".
_TEXTS: Final = ("tenantId", "meterApiName")
NAMED: Final = (*_TEXTS, "meterValue", "meterTimeInMillis")


class Fields(NamedTuple):
    """What a form shows: the members with a field of their own, and all others as a JSON object.

    Of what is no object there is the JSON alone, and ``named`` is empty.
    """

    named: dict[str, str]
    others: str


def fields_of(usage: Any) -> Fields:
    """The fields for a usage."""
    if not isinstance(usage, dict):
        return Fields({}, pretty(usage))
    named = {name: _shown(name, usage[name]) if name in usage else "" for name in NAMED}
    return Fields(named, pretty({name: value for name, value in usage.items() if name not in NAMED}))


def mended(usage: Any, given: Mapping[str, str]) -> Any:
    """The usage that a form was filled in with; a field left empty is a member left out.

    What was not touched is as it was. Raises :class:`OperatorError`.
    """
    before = fields_of(usage)
    others = usage if not isinstance(usage, dict) else {k: v for k, v in usage.items() if k not in NAMED}
    typed = given.get("others", "").replace("\r\n", "\n")
    if typed.strip() != before.others.strip():
        others = _object(typed or "{}")
    if not before.named:
        return others
    named: dict[str, Any] = {}
    for name in NAMED:
        text = given.get(name, "")
        if text == before.named[name] and name in usage:
            named[name] = usage[name]
        elif text.strip():
            named[name] = _value(name, text)
    return {**named, **others}


def changed(usage: Any, given: Mapping[str, str]) -> dict[str, Any]:
    """The usage with what was typed in the place of its members; of a field left empty the member stays.

    Raises :class:`OperatorError`.
    """
    if not isinstance(usage, dict):
        raise OperatorError("Some are no objects and have no members to change; nothing was done. Mend each by itself.")
    return {**usage, **{name: _value(name, text) for name, text in given.items() if text.strip()}}


def pretty(value: Any) -> str:
    """JSON for people."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def short(value: Any) -> str:
    """JSON in one line; text as it is."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _shown(name: str, value: Any) -> str:
    return short(value) if name in _TEXTS else json.dumps(value, ensure_ascii=False)


def _value(name: str, text: str) -> Any:
    return text.strip() if name in _TEXTS else parse_json(text.strip())


def _object(text: str) -> dict[str, Any]:
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise OperatorError(f"The JSON cannot be read: {error}.") from None
    found = parse_json(text)
    if not isinstance(found, dict):
        raise OperatorError("The JSON has to be an object: {…}.")
    return found
