"""The record that Amberflo counts, as a pure function of the usage that was reported.

Amberflo compares whole records to tell duplicates, so the same usage must give the same bytes however often and
by whichever way it comes: no clock and no random id in here, and dimensions in a fixed order.
"""

import math
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from amberflo_workflows.core.json_text import DUPLICATE_MEMBER
from amberflo_workflows.core.names import name_error

# Amberflo documents 1 to 200 characters for a dimension and 50 for a meter's API name.
MAX_TEXT_LENGTH: Final = 200
MAX_METER_NAME_LENGTH: Final = 50
# Amberflo takes events up to 60 days back; the clock of a sender may be a little ahead.
MAX_AGE_MILLIS: Final = 60 * 24 * 60 * 60 * 1000
MAX_AHEAD_MILLIS: Final = 5 * 60 * 1000
_OWN_MEMBERS: Final = frozenset(
    {"tenantId", "meterApiName", "meterValue", "meterTimeInMillis", "uniqueId", "dimensions"}
)


class InvalidUsage(ValueError):
    """A usage is wrong by its form; the message says what, and is kept with it for the person who mends it."""


class UsageRecord(Struct, rename="camel"):
    """Amberflo's ingest record. ``meter_time_in_millis`` is epoch milliseconds."""

    customer_id: str
    meter_api_name: str
    meter_value: int | float
    meter_time_in_millis: int
    unique_id: str
    dimensions: dict[str, str]


def build_record(usage: Any, *, event_id: str, event_time: str) -> UsageRecord:
    """The record of a usage ``{tenantId, meterApiName, meterValue, uniqueId?, meterTimeInMillis?, dimensions?, …}``.

    ``event_id`` and ``event_time`` (ISO 8601) stand in where the usage has no identity or time of its own. Any
    other member is a dimension, as in the npm package. Raises :class:`InvalidUsage`.
    """
    if not isinstance(usage, dict):
        raise InvalidUsage(f"a usage must be an object, this is {_kind(usage)}")
    _check_given_once(usage)
    record = UsageRecord(
        customer_id=_text(usage, "tenantId"),
        meter_api_name=_text(usage, "meterApiName", MAX_METER_NAME_LENGTH),
        meter_value=_value(usage),
        meter_time_in_millis=_time(usage, event_time),
        unique_id=_text(usage, "uniqueId") if usage.get("uniqueId") is not None else event_id,
        dimensions=_dimensions(usage),
    )
    try:
        msgspec.json.encode(record)
    except UnicodeEncodeError:
        raise InvalidUsage("a text in it is not valid Unicode") from None
    return record


def check_countable(record: UsageRecord, *, now_in_millis: int) -> None:
    """Raise :class:`InvalidUsage` for what is not to be counted any more, not yet, or under such a name.

    Whatever was counted already can be taken back, so this is not asked then.
    """
    for member, name in (("tenantId", record.customer_id), ("meterApiName", record.meter_api_name)):
        if fault := name_error(name):
            raise InvalidUsage(f"{member} {fault}")
    if record.meter_time_in_millis < now_in_millis - MAX_AGE_MILLIS:
        raise InvalidUsage("it is more than 60 days old")
    if record.meter_time_in_millis > now_in_millis + MAX_AHEAD_MILLIS:
        raise InvalidUsage("its time is more than 5 minutes ahead")


def _check_given_once(usage: dict[str, Any]) -> None:
    dimensions = usage.get("dimensions")
    beneath = dimensions if isinstance(dimensions, dict) else {}
    for name, value in ({"the usage": usage} | beneath | usage).items():
        if isinstance(value, dict) and isinstance(value.get(DUPLICATE_MEMBER), list):
            raise InvalidUsage(f"{_short(name)} is given twice")


def _text(usage: dict[str, Any], member: str, longest: int = MAX_TEXT_LENGTH) -> str:
    value = usage.get(member)
    if value is None:
        raise InvalidUsage(f"{member} is missing")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise InvalidUsage(f"{member} must be text, this is {_kind(value)}")
    if not value.strip():
        raise InvalidUsage(f"{member} is empty")
    if len(value) > longest:
        raise InvalidUsage(f"{member} has {len(value)} characters, at most {longest} are allowed")
    return value


def _value(usage: dict[str, Any]) -> int | float:
    value = usage.get("meterValue")
    if value is None:
        raise InvalidUsage("meterValue is missing")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidUsage(f"meterValue must be a number, this is {_kind(value)}")
    try:
        finite = math.isfinite(value)
    except OverflowError:
        finite = False
    if not finite:
        raise InvalidUsage("meterValue is not a finite number")
    return value


def _time(usage: dict[str, Any], event_time: str) -> int:
    value = usage.get("meterTimeInMillis")
    if value is None:
        return parse_time_in_millis(event_time)
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise InvalidUsage("meterTimeInMillis must be a positive whole number: milliseconds since 1970")
    return value


def parse_time_in_millis(iso: str) -> int:
    """ISO 8601 as epoch milliseconds; without an offset it is UTC, wherever this runs. Raises :class:`InvalidUsage`."""
    try:
        moment = datetime.fromisoformat(iso)
        return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise InvalidUsage("there is no time: give meterTimeInMillis (milliseconds since 1970)") from None


def _dimensions(usage: dict[str, Any]) -> dict[str, str]:
    given = usage.get("dimensions") or {}
    if not isinstance(given, dict):
        raise InvalidUsage(f"dimensions must be an object, this is {_kind(given)}")
    beside = {key: value for key, value in usage.items() if key not in _OWN_MEMBERS}
    for key in beside.keys() & given.keys():
        if _scalar(key, beside[key]) != _scalar(key, given[key]):
            raise InvalidUsage(f"the dimension '{_short(key)}' is given twice, with different values")
    pairs = ((key, _scalar(key, value)) for key, value in sorted({**beside, **given}.items()))
    return {key: value for key, value in pairs if value}


def _scalar(key: str, value: Any) -> str:
    """A dimension's value as text; nothing and empty text are the same: no dimension."""
    if not 1 <= len(key) <= MAX_TEXT_LENGTH:
        raise InvalidUsage(f"a dimension's name has {len(key)} characters, 1 to {MAX_TEXT_LENGTH} are allowed")
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise InvalidUsage(f"the dimension '{_short(key)}' must be a plain value, this is {_kind(value)}")
    text = str(value)
    if len(text) > MAX_TEXT_LENGTH:
        raise InvalidUsage(
            f"the dimension '{_short(key)}' has {len(text)} characters, at most {MAX_TEXT_LENGTH} are allowed"
        )
    return text


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _short(key: str) -> str:
    return key if len(key) <= 40 else key[:40] + "…"
