"""Moments and spans of time as operators type them."""

import re
from datetime import datetime, tzinfo
from typing import Final, NamedTuple

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SPAN: Final = re.compile(r"(\d{1,9})([smhdw])")
_WAYS: Final = "ISO 8601 (2026-01-31T09:00Z), epoch seconds, or so long ago (2h, 7d)"


class InvalidTime(ValueError):
    """What was typed is no time; the message says what would be."""


class ParsedTime(NamedTuple):
    """Epoch seconds; ``assumed`` is the time in full if its zone, this machine's, was assumed."""

    seconds: int
    assumed: str | None = None


def parse_duration(text: str) -> int:
    """Seconds of ``90s``, ``15m``, ``2h``, ``7d`` or ``1w``. Raises :class:`InvalidTime`."""
    found = _SPAN.fullmatch(text)
    if not found:
        raise InvalidTime(f"'{text}' is no span of time; it is like 15m, 2h, 7d, 1w")
    return int(found[1]) * _UNITS[found[2]]


def parse_time(text: str, now: int, zone: tzinfo | None = None) -> ParsedTime:
    """A moment in ISO 8601, in epoch seconds, or a span before ``now`` (epoch seconds). Raises :class:`InvalidTime`.

    ``zone`` is that of a time without one; if there is none either, this machine's is assumed.
    """
    if _SPAN.fullmatch(text):
        return ParsedTime(now - parse_duration(text))
    if text.isdecimal():
        # Fewer digits would rather be a date, more are milliseconds: to misread a time is to ask of another.
        if len(text) not in {9, 10}:
            raise InvalidTime(f"'{text}' has {len(text)} digits; a time is {_WAYS}")
        return ParsedTime(int(text))
    try:
        given = datetime.fromisoformat(text)
        if given.tzinfo is None and zone:
            given = given.replace(tzinfo=zone)
        told = given if given.tzinfo else given.astimezone()
        return ParsedTime(int(told.timestamp()), None if given.tzinfo else told.isoformat())
    except (ValueError, OverflowError, OSError):
        raise InvalidTime(f"'{text}' is no time; a time is {_WAYS}") from None
