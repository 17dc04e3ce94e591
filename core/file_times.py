"""The times that files of usage have, as milliseconds since 1970.

Without options a time is ISO 8601, or seconds, milliseconds, microseconds or nanoseconds since 1970, which have 10, 13,
16 and 19 digits from 2001 to 2286. A time is never rounded up, so that usage stays in its hour, day and billing period.
"""

import json
import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from amberflo_workflows.core.file_encoding import InvalidFile
from amberflo_workflows.core.reported_usage import ReportedUsage, truncate_reason
from amberflo_workflows.core.usage_record import InvalidUsage, parse_time_in_millis

# Not a member of a usage: the time that applies if the usage has no meterTimeInMillis.
TIME_MEMBER: Final = "time"
_MILLIS_MEMBER: Final = "meterTimeInMillis"
_NUMBER: Final = re.compile(r"([0-9]{10}|[0-9]{13}|[0-9]{16}|[0-9]{19})(?:\.([0-9]{1,30}))?")
# By the number of digits: the unit, and how many of it a second has.
_UNITS: Final = {
    10: ("epoch seconds", 1),
    13: ("epoch milliseconds", 1_000),
    16: ("epoch microseconds", 1_000_000),
    19: ("epoch nanoseconds", 1_000_000_000),
}
_OFFSET: Final = re.compile(r"([+-])([0-9]{2}):?([0-9]{2})")
_SAMPLE: Final = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)


class TimeOptions(NamedTuple):
    """How to read times: a format of ``strptime``, and the zone of times that have none. Both may be empty."""

    time_format: str = ""
    time_zone: str = ""


class FileTime(NamedTuple):
    """Epoch milliseconds, and how they were read, for a person."""

    millis: int
    form: str


class UnreadableTime(ValueError):
    """A time cannot be read; the message says which forms can."""


def check_time_options(options: TimeOptions) -> None:
    """Raise :class:`InvalidFile` if the format or the zone cannot be used."""
    if options.time_zone:
        _parse_zone(options.time_zone)
    if not options.time_format:
        return
    if re.search(r"(?<!%)(?:%%)*%Z", options.time_format):
        raise InvalidFile(
            "The --time-format (timeFormat) must not have %Z, since the name of a zone can mean several. Write the "
            "name as it is in the file, such as UTC, and set --time-zone (timeZone)."
        )
    try:
        parsed = _strptime(_SAMPLE.strftime(options.time_format), options.time_format)
    except (ValueError, re.error):
        raise InvalidFile(
            f"The --time-format (timeFormat) '{options.time_format}' is not a format of Python's strptime. Example: "
            "%m/%d/%Y %H:%M:%S"
        ) from None
    if (parsed.year, parsed.month) != (_SAMPLE.year, _SAMPLE.month):
        raise InvalidFile(
            f"The --time-format (timeFormat) '{options.time_format}' must have the year and the month. Example: "
            "%m/%d/%Y %H:%M:%S"
        )


def take_time(usage: dict[str, Any], options: TimeOptions) -> tuple[str, str]:
    """Remove the time from a row's usage; return its text, and the reason if it cannot be read.

    A usage gets the time as ``meterTimeInMillis`` if it has none and if the text alone does not say the time.
    """
    value = usage.pop(TIME_MEMBER, None)
    if value is None or value == "":
        return "", ""
    text = value if isinstance(value, str) else _format_time(value)
    if usage.get(_MILLIS_MEMBER) is not None:
        return text, ""
    try:
        millis = parse_file_time(text, options).millis
    except UnreadableTime as error:
        return text, truncate_reason(str(error))
    if _parse_iso(text) != millis:
        usage[_MILLIS_MEMBER] = millis
    return text, ""


def describe_time(reported: ReportedUsage, options: TimeOptions) -> str:
    """Return how the time of a row was read; an empty text if the row has another time or none that can be read."""
    if not reported.event_time:
        return ""
    try:
        parsed = parse_file_time(reported.event_time, options)
    except UnreadableTime:
        return ""
    own = reported.usage.get(_MILLIS_MEMBER) if isinstance(reported.usage, dict) else None
    return parsed.form if own in {None, parsed.millis} else ""


def parse_file_time(text: str, options: TimeOptions) -> FileTime:
    """Return the time of a row. Raises :class:`UnreadableTime`."""
    text = text.strip()
    if options.time_format:
        return _parse_with_format(text, options)
    if number := _NUMBER.fullmatch(text):
        return _parse_epoch(*number.groups(default=""))
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise UnreadableTime(
            f"there is no time: '{text[:40]}' is neither ISO 8601 nor seconds, milliseconds or microseconds since "
            "1970; set --time-format"
        ) from None
    return _add_zone(time, options.time_zone, "ISO 8601")


def _parse_epoch(whole: str, fraction: str) -> FileTime:
    form, per_second = _UNITS[len(whole)]
    return FileTime(int(whole + fraction) * 1_000 // (per_second * 10 ** len(fraction)), form)


def _parse_with_format(text: str, options: TimeOptions) -> FileTime:
    shortened = text
    if "%f" in options.time_format:
        # strptime reads at most six digits; more are cut off, as in ISO 8601.
        shortened = re.sub(r"(?<=[.,:])([0-9]{6})[0-9]+", r"\1", text)
    try:
        time = _strptime(shortened, options.time_format)
    except ValueError:
        raise UnreadableTime(
            f"there is no time: '{text[:40]}' does not have the format {options.time_format[:40]}"
        ) from None
    return _add_zone(time, options.time_zone, options.time_format)


def _strptime(text: str, time_format: str) -> datetime:
    return datetime.strptime(text, time_format)  # noqa: DTZ007 - _add_zone adds a zone to a time without one


def _add_zone(time: datetime, zone: str, form: str) -> FileTime:
    if time.tzinfo is None:
        form = f"{form}, without a zone: {zone or 'UTC'}"
        time = time.replace(tzinfo=_parse_zone(zone) if zone else UTC)
    millis = _parse_iso(time.isoformat(timespec="milliseconds"))
    if millis is None:
        raise UnreadableTime(f"there is no time: {time.isoformat()} is out of range")
    return FileTime(millis, form)


def _parse_iso(text: str) -> int | None:
    try:
        return parse_time_in_millis(text)
    except InvalidUsage:
        return None


@lru_cache(maxsize=8)
def _parse_zone(name: str) -> tzinfo:
    """Return a zone of the IANA database, or an offset. Raises :class:`InvalidFile`."""
    if offset := _OFFSET.fullmatch(name):
        minutes = int(offset[2]) * 60 + int(offset[3])
        if minutes < 24 * 60:
            return timezone(timedelta(minutes=minutes if offset[1] == "+" else -minutes))
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise InvalidFile(
            f"There is no time zone '{name}'. Set --time-zone (timeZone) to a name such as Europe/Berlin, or to an "
            "offset such as +02:00."
        ) from None


def _format_time(value: Any) -> str:
    """Return a time that is not text as text; a number without an exponent."""
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")
    return json.dumps(value, ensure_ascii=False)
