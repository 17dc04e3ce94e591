"""Parse times and durations as operators enter them."""

import re
from datetime import datetime, tzinfo
from typing import Final, NamedTuple

_UNIT_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION: Final = re.compile(r"(\d{1,9})([smhdw])")
_TIME_FORMATS: Final = "ISO 8601 (2026-01-31T09:00Z), epoch seconds, or a duration before now (2h, 7d)"


class InvalidTime(ValueError):
    """A text is not a time or duration; the message says which formats are valid."""


class ParsedTime(NamedTuple):
    """Epoch seconds; ``assumed`` is the time with its zone if this machine's time zone was assumed."""

    seconds: int
    assumed: str | None = None


def parse_duration(text: str) -> int:
    """Return the seconds of ``90s``, ``15m``, ``2h``, ``7d`` or ``1w``. Raises :class:`InvalidTime`."""
    match = _DURATION.fullmatch(text)
    if not match:
        raise InvalidTime(f"'{text}' is not a valid duration. Examples: 15m, 2h, 7d, 1w")
    return int(match[1]) * _UNIT_SECONDS[match[2]]


def parse_time(text: str, now: int, zone: tzinfo | None = None) -> ParsedTime:
    """Parse ISO 8601, epoch seconds, or a duration before ``now`` (epoch seconds). Raises :class:`InvalidTime`.

    ``zone`` is used for a time without a time zone; default: this machine's.
    """
    if _DURATION.fullmatch(text):
        return ParsedTime(now - parse_duration(text))
    if text.isdecimal():
        # Fewer digits are probably a date, and more are milliseconds; a wrong guess would use another time.
        if len(text) not in {9, 10}:
            raise InvalidTime(f"'{text}' has {len(text)} digits. Use {_TIME_FORMATS}")
        return ParsedTime(int(text))
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None and zone:
            time = time.replace(tzinfo=zone)
        zoned = time if time.tzinfo else time.astimezone()
        return ParsedTime(int(zoned.timestamp()), None if time.tzinfo else zoned.isoformat())
    except (ValueError, OverflowError, OSError):
        raise InvalidTime(f"'{text}' is not a valid time. Use {_TIME_FORMATS}") from None
