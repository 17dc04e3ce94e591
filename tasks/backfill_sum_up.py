"""Last step of ``backfill_usage``: add up the outcomes of the ranges.

Input: ``{"ranges": [{"accepted", "rejected", "failed"}…]}``. Output: their sums, and the number of ranges.
"""

from typing import Any

import msgspec
from msgspec import Struct


class RangeOutcome(Struct):
    """The outcome of a range; ``failed`` is 1 if the range was not sent completely."""

    accepted: int
    rejected: int
    failed: int


class Outcomes(Struct):
    ranges: list[RangeOutcome]


def handler(event: dict[str, Any], _context: object) -> dict[str, int]:
    outcomes = msgspec.convert(event, Outcomes).ranges
    return {
        "ranges": len(outcomes),
        "accepted": sum(outcome.accepted for outcome in outcomes),
        "rejected": sum(outcome.rejected for outcome in outcomes),
        "failed": sum(outcome.failed for outcome in outcomes),
    }
