"""Read JSON leniently, so that one value that cannot be carried does not affect the rest of a message."""

import json
import math
from typing import Any, Final

# Becomes the value of a member that an object has twice, as ``{"givenTwice": [value, value]}``: nobody knows which is
# right.
DUPLICATE_MEMBER: Final = "givenTwice"


def parse_json(text: str) -> Any:
    """Return JSON as Python values, or ``text`` itself if it is not JSON.

    Values that are not finite numbers (``NaN``, ``1e999``) become their text. The values of a member that an object
    has twice become ``{"givenTwice": [value, value]}``. The usage with such a value is then rejected for it, and the
    others in the message are not.
    """
    try:
        return json.loads(text, parse_float=_parse_float, parse_constant=str, object_pairs_hook=_build_object)
    except (ValueError, RecursionError):
        return text


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    values_by_name: dict[str, list[Any]] = {}
    for name, value in pairs:
        values_by_name.setdefault(name, []).append(value)
    return {
        name: values[0] if len(values) == 1 else {DUPLICATE_MEMBER: values} for name, values in values_by_name.items()
    }


def _parse_float(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits
