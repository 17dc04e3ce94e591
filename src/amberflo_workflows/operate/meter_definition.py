"""The definition of a meter as people enter it, validated as the workflows do before anything is sent."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from amberflo_workflows.core.meter import parse_meter_changes, parse_new_meter
from amberflo_workflows.core.response import PayloadTooLarge, validation_error_response
from amberflo_workflows.operate.errors import OperatorError

# What a status means. A meter only moves down this list, and never back.
STATUSES: Final = {
    "open": "A draft: everything can be changed.",
    "close_to_changes": "In use: name, type and dimensions are locked.",
    "close_to_deletion": "In use: it cannot be deleted.",
    "deprecated": "No longer in use. This is final, and comes before the deletion.",
}
_RULES: Final = {
    "label": "A label has 1 to 200 characters.",
    "meterApiName": "An API name has 1 to 50 letters, digits or the characters - _ .",
    "meterType": "Choose how usage is aggregated.",
    "dimensions": "A dimension has 1 to 200 characters.",
    "aggregationDimensions": "A meter of type active_users counts the values of at least one dimension: name it here.",
    "lockingStatus": f"A status is one of {', '.join(STATUSES)}.",
}


class InvalidMeter(OperatorError):
    """A definition is invalid: which ``field``, and the ``rule`` that it does not follow."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}" if field else rule)
        self.field, self.rule = field, rule


def check_new_meter(members: Mapping[str, Any]) -> None:
    """Raise :class:`InvalidMeter` unless a meter can be created with these members."""
    _check(parse_new_meter, members)


def check_changes(members: Mapping[str, Any]) -> None:
    """Raise :class:`InvalidMeter` unless a meter can be changed by these members."""
    if not members:
        raise InvalidMeter("", "Nothing is to be changed.")
    _check(parse_meter_changes, members)


def _check(parse: Callable[[Any], object], members: Mapping[str, Any]) -> None:
    try:
        parse(dict(members))
    except msgspec.ValidationError as error:
        details: Any = validation_error_response(error)["body"]["details"]
        field, _, _ = str(details[0]["field"]).partition("[")
        raise InvalidMeter(field, _RULES.get(field, str(details[0]["problem"]))) from None
    except PayloadTooLarge as error:
        raise InvalidMeter("", str(error)) from None
