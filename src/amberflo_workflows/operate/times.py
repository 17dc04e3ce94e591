"""Moments and spans of time as operators type them."""

import re
from datetime import datetime, tzinfo
from typing import Final, NamedTuple

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SPAN: Final = re.compile(r"(\d{1,9})([smhdw])")
_WAYS: Final = "ISO 8601 (2026-01-31T09:00Z), epoch seconds, or so long ago (2h, 7d)"


class BadTime(ValueError):
    """What was typed is no time; the message says what would be."""


class Moment(NamedTuple):
    """Epoch seconds; ``assumed`` is the time in full if its zone, this machine's, was assumed."""

    seconds: int
    assumed: str | None = None


def span(text: str) -> int:
    """Seconds of ``90s``, ``15m``, ``2h``, ``7d`` or ``1w``. Raises :class:`BadTime`."""
    found = _SPAN.fullmatch(text)
    if not found:
        raise BadTime(f"'{text}' is no span of time; it is like 15m, 2h, 7d, 1w")
    return int(found[1]) * _UNITS[found[2]]


def moment(text: str, now: int, zone: tzinfo | None = None) -> Moment:
    """A moment in ISO 8601, in epoch seconds, or a span before ``now`` (epoch seconds). Raises :class:`BadTime`.

    ``zone`` is that of a time without one; if there is none either, this machine's is assumed.
    """
    if _SPAN.fullmatch(text):
        return Moment(now - span(text))
    if text.isdecimal():
        # Fewer digits would rather be a date, more are milliseconds: to misread a time is to ask of another.
        if len(text) not in {9, 10}:
            raise BadTime(f"'{text}' has {len(text)} digits; a time is {_WAYS}")
        return Moment(int(text))
    try:
        given = datetime.fromisoformat(text)
        if given.tzinfo is None and zone:
            given = given.replace(tzinfo=zone)
        told = given if given.tzinfo else given.astimezone()
        return Moment(int(told.timestamp()), None if given.tzinfo else told.isoformat())
    except (ValueError, OverflowError, OSError):
        raise BadTime(f"'{text}' is no time; a time is {_WAYS}") from None
