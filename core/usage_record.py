"""The record that Amberflo counts, as a pure function of the reported usage.

Amberflo compares complete records to recognize duplicates. So the same usage must give the same bytes in every
delivery, whatever way it came: no clock, no random id, dimensions in a fixed order, and each member in its
:mod:`canonical form <amberflo_workflows.core.canonical>`.
"""

import math
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, TypeGuard

import msgspec
from msgspec import Struct

from amberflo_workflows.core.canonical import (
    INT64_LIMIT,
    format_number,
    is_canonical,
    normalize_number,
    normalize_text,
    to_millis,
)
from amberflo_workflows.core.json_text import DUPLICATE_MEMBER
from amberflo_workflows.core.names import find_name_error

# Amberflo documents 1 to 200 characters for a dimension and 50 for a meter's API name.
MAX_TEXT_LENGTH: Final = 200
MAX_METER_NAME_LENGTH: Final = 50
# Amberflo accepts usage up to 60 days old. The clock of a sender may be a little ahead.
MAX_AGE_MILLIS: Final = 60 * 24 * 60 * 60 * 1000
MAX_AHEAD_MILLIS: Final = 5 * 60 * 1000
_OWN_MEMBERS: Final = frozenset(
    {"tenantId", "meterApiName", "meterValue", "meterTimeInMillis", "uniqueId", "dimensions"}
)


class InvalidUsage(ValueError):
    """A usage is invalid; the message says why. It is stored with the usage for the person who fixes it."""


class UsageRecord(Struct, rename="camel"):
    """Amberflo's ingest record. ``meter_time_in_millis`` is epoch milliseconds."""

    customer_id: str
    meter_api_name: str
    meter_value: int | float
    meter_time_in_millis: int
    unique_id: str
    dimensions: dict[str, str]


def build_record(usage: Any, *, event_id: str, event_time: str, reason: str = "") -> UsageRecord:
    """Return the record of ``{tenantId, meterApiName, meterValue, uniqueId?, meterTimeInMillis?, dimensions?, …}``.

    ``event_id`` and ``event_time`` (ISO 8601) apply if the usage has no ``uniqueId`` or ``meterTimeInMillis``. Any
    other member is a dimension, as in the npm package. Raises :class:`InvalidUsage`, for
    ``reason`` if the usage is the text of a row that cannot be read, or has no time of its own.

    A plain usage, as nearly every one is, is checked as a whole. Any other is read member by member, at five times the
    cost, and only that finds a reason. ``tests/core/test_plain_record.py`` compares the two.
    """
    try:
        record = _build_plain_record(usage, event_id, event_time, reason)
    except InvalidUsage:
        # The reason may be another one: a usage that is invalid in two ways has that of its first member.
        record = None
    return record or _build_any_record(usage, event_id, event_time, reason)


def _build_plain_record(usage: Any, event_id: str, event_time: str, reason: str) -> UsageRecord | None:
    """Return the record of a usage whose members are valid and canonical, or ``None`` for any other.

    May also raise :class:`InvalidUsage`.
    """
    if not isinstance(usage, dict):
        return None
    tenant, meter, unique_id = usage.get("tenantId"), usage.get("meterApiName"), usage.get("uniqueId", event_id)
    if not (_is_plain(tenant) and _is_plain(meter, MAX_METER_NAME_LENGTH) and _is_plain(unique_id)):
        return None
    if tenant.isspace() or meter.isspace() or unique_id != unique_id.strip():
        return None
    dimensions = _build_plain_dimensions(usage)
    if dimensions is None:
        return None
    value, millis = usage.get("meterValue"), usage.get("meterTimeInMillis")
    if type(value) is not int or abs(value) >= INT64_LIMIT:
        value = _parse_value(usage)
    if type(millis) is not int or millis <= 0:
        millis = _parse_time(usage, event_time, reason)
    return UsageRecord(tenant, meter, value, millis, unique_id, dimensions)


def _build_plain_dimensions(usage: dict[str, Any]) -> dict[str, str] | None:
    members = usage.get("dimensions") or {}
    if not isinstance(members, dict):
        return None
    if not _OWN_MEMBERS.issuperset(usage):
        outer = {name: value for name, value in usage.items() if name not in _OWN_MEMBERS}
        if not outer.keys().isdisjoint(members):
            return None
        members = outer | members
    dimensions = {}
    for name in sorted(members):
        text = members[name]
        if type(text) is not str:
            text = _format_value(name, text)
        if not (_is_plain(name) and _is_plain(text)):
            return None
        dimensions[name] = text
    return dimensions


def _is_plain(text: object, max_length: int = MAX_TEXT_LENGTH) -> TypeGuard[str]:
    """Whether a value is text in canonical form, neither empty nor too long."""
    return type(text) is str and 0 < len(text) <= max_length and (text.isascii() or is_canonical(text))


def _build_any_record(usage: Any, event_id: str, event_time: str, reason: str) -> UsageRecord:
    """Return the record of any usage, see :func:`build_record`."""
    if not isinstance(usage, dict):
        raise InvalidUsage(reason or f"a usage must be an object, not {_describe_type(usage)}")
    _check_duplicate_members(usage)
    record = UsageRecord(
        customer_id=_parse_text(usage, "tenantId"),
        meter_api_name=_parse_text(usage, "meterApiName", MAX_METER_NAME_LENGTH),
        meter_value=_parse_value(usage),
        meter_time_in_millis=_parse_time(usage, event_time, reason),
        unique_id=_parse_unique_id(usage, event_id),
        dimensions=_parse_dimensions(usage),
    )
    try:
        msgspec.json.encode(record)
    except UnicodeEncodeError:
        raise InvalidUsage("it contains text that is not valid Unicode") from None
    return record


def check_countable(record: UsageRecord, *, now_in_millis: int) -> None:
    """Raise :class:`InvalidUsage` if a record is too old, too far in the future, or has a name that looks like another.

    A cancellation does not check this: usage that was counted can always be cancelled.
    """
    if error := find_name_error(record.customer_id):
        raise InvalidUsage(f"tenantId {error}")
    if error := find_name_error(record.meter_api_name):
        raise InvalidUsage(f"meterApiName {error}")
    if record.meter_time_in_millis < now_in_millis - MAX_AGE_MILLIS:
        raise InvalidUsage("it is more than 60 days old")
    if record.meter_time_in_millis > now_in_millis + MAX_AHEAD_MILLIS:
        raise InvalidUsage("its time is more than 5 minutes in the future")


def _check_duplicate_members(usage: dict[str, Any]) -> None:
    dimensions = usage.get("dimensions")
    inner = dimensions if isinstance(dimensions, dict) else {}
    for name, value in ({"the usage": usage} | inner | usage).items():
        if isinstance(value, dict) and isinstance(value.get(DUPLICATE_MEMBER), list):
            raise InvalidUsage(f"{_shorten(name)} occurs twice")


def _parse_text(usage: dict[str, Any], member: str, max_length: int = MAX_TEXT_LENGTH) -> str:
    value = usage.get(member)
    if value is None:
        raise InvalidUsage(f"{member} is missing")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise InvalidUsage(f"{member} must be text, not {_describe_type(value)}")
    if not value.strip():
        raise InvalidUsage(f"{member} is empty")
    value = normalize_text(value)
    if len(value) > max_length:
        raise InvalidUsage(f"{member} has {len(value)} characters, at most {max_length} are allowed")
    return value


def _parse_unique_id(usage: dict[str, Any], event_id: str) -> str:
    """Return the identity of a usage, without the whitespace around it, which a form or a spreadsheet may add."""
    value = usage.get("uniqueId")
    if isinstance(value, str):
        usage = {"uniqueId": value.strip()}
    return normalize_text(event_id.strip()) if value is None else _parse_text(usage, "uniqueId")


def _parse_value(usage: dict[str, Any]) -> int | float:
    value = usage.get("meterValue")
    if value is None:
        raise InvalidUsage("meterValue is missing")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidUsage(f"meterValue must be a number, not {_describe_type(value)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidUsage("meterValue is not a finite number")
    try:
        return normalize_number(value)
    except OverflowError:
        raise InvalidUsage("meterValue is not a finite number") from None


def _parse_time(usage: dict[str, Any], event_time: str, reason: str) -> int:
    value = usage.get("meterTimeInMillis")
    if value is None and reason:
        raise InvalidUsage(reason)
    if value is None:
        return parse_time_in_millis(event_time)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise InvalidUsage("meterTimeInMillis must be a positive whole number: milliseconds since 1970")
    return value


# The events of a second have the same time.
@lru_cache(maxsize=1024)
def parse_time_in_millis(iso: str) -> int:
    """Return epoch milliseconds of a time in ISO 8601, in UTC if it has no offset. Raises :class:`InvalidUsage`."""
    try:
        return to_millis(datetime.fromisoformat(iso))
    except (ValueError, OverflowError):
        raise InvalidUsage("there is no time: set meterTimeInMillis (milliseconds since 1970)") from None


def _parse_dimensions(usage: dict[str, Any]) -> dict[str, str]:
    inner = usage.get("dimensions") or {}
    if not isinstance(inner, dict):
        raise InvalidUsage(f"dimensions must be an object, not {_describe_type(inner)}")
    outer = {name: value for name, value in usage.items() if name not in _OWN_MEMBERS}
    dimensions: dict[str, str] = {}
    # By name, so that the reason of a rejection does not depend on the order of the members either.
    for raw_name, raw_value in (*sorted(outer.items()), *sorted(inner.items())):
        name = _parse_name(raw_name)
        value = _format_value(name, raw_value)
        if dimensions.setdefault(name, value) != value:
            raise InvalidUsage(f"the dimension '{_shorten(name)}' occurs twice, with different values")
    return {name: value for name, value in sorted(dimensions.items()) if value}


def _parse_name(name: str) -> str:
    name = normalize_text(name)
    if not 1 <= len(name) <= MAX_TEXT_LENGTH:
        raise InvalidUsage(f"a dimension's name has {len(name)} characters, 1 to {MAX_TEXT_LENGTH} are allowed")
    return name


def _format_value(name: str, value: Any) -> str:
    """Return a dimension's value as text. Null and empty text both mean that the dimension is absent."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise InvalidUsage(f"the dimension '{_shorten(name)}' must be a plain value, not {_describe_type(value)}")
    text = normalize_text(value) if isinstance(value, str) else format_number(value)
    if len(text) > MAX_TEXT_LENGTH:
        raise InvalidUsage(
            f"the dimension '{_shorten(name)}' has {len(text)} characters, at most {MAX_TEXT_LENGTH} are allowed"
        )
    return text


def _describe_type(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _shorten(name: str) -> str:
    return name if len(name) <= 40 else name[:40] + "…"
