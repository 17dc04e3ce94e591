"""The canonical form of texts, numbers and times, by which equal usages have equal records whatever way they came.

- **Text** is in Unicode's composed form (NFC): ``Café`` is one tenant, whether its é is one character or two.
- **Numbers** have no fraction if they are whole: 5, 5.0 and 5e0 are 5.
- **Times** are milliseconds since 1970, without a fraction.
"""

import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any, Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
INT64_LIMIT: Final = 2**63


def normalize_text(text: str) -> str:
    """Return a text in NFC. It may be shorter or longer than before."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def is_canonical(text: str) -> bool:
    """Whether a text is in NFC and can be encoded: it may have lone surrogates, if it comes from JSON."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return unicodedata.is_normalized("NFC", text)


def normalize_number(number: int | float) -> int | float:
    """Return a finite number as an integer if it is whole and fits into 64 bits, else as a double.

    Raises ``OverflowError`` for an integer that is larger than any double.
    """
    if abs(number) < INT64_LIMIT:
        return int(number) if number == int(number) else number
    return float(number)


def format_number(number: int | float) -> str:
    """Return a number as text: all digits if it is whole, else the shortest ones that mean the same double."""
    return str(int(number) if isinstance(number, float) and number.is_integer() else number)


def normalize_json(value: Any) -> Any:
    """Return a JSON value with its texts, also the names of members, and numbers in their canonical form.

    Raises ``RecursionError`` for a value that is nested too deep.
    """
    if isinstance(value, dict):
        return {normalize_text(name): normalize_json(member) for name, member in value.items()}
    if isinstance(value, list):
        return [normalize_json(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return normalize_text(value) if isinstance(value, str) else value


def to_millis(time: datetime) -> int:
    """Return the epoch millisecond in which a time is; a time without a zone is UTC.

    It is not rounded up, so that usage stays in its hour, day and billing period. The emitter has the same formula,
    since it imports nothing else of this package.
    """
    return ((time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH) // timedelta(milliseconds=1)
