"""Parse the value of a usage's member as an operator enters it in ``NAME=VALUE``."""

from typing import Any, Final

from amberflo_workflows.core.json_text import parse_json

_NUMBER_MEMBERS: Final = ("meterValue", "meterTimeInMillis")


def parse_member(name: str, text: str) -> Any:
    """Return a number (or null) for a member that is one, an object for ``dimensions``, and else the text itself.

    A dimension stays as it was entered: the version ``1.10`` is not the number 1.1. Text that is not of the member's
    type is returned as well, so that the usage is rejected for it.
    """
    if name in _NUMBER_MEMBERS:
        value = parse_json(text)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return value if is_number or value is None else text
    if name == "dimensions":
        value = parse_json(text)
        return value if isinstance(value, dict) else text
    return text
