"""Last step of ``backfill_usage``: what became of all ranges together.

In: ``{"ranges": [{"accepted", "rejected", "failed"}…]}``. Out: their sums, and the number of ranges.
"""

from typing import Any

import msgspec
from msgspec import Struct


class RangeOutcome(Struct):
    """What became of a range; ``failed`` is 1 if it was not sent to its end."""

    accepted: int
    rejected: int
    failed: int


class Outcomes(Struct):
    """All of them."""

    ranges: list[RangeOutcome]


def handler(event: dict[str, Any], _context: object) -> dict[str, int]:
    outcomes = msgspec.convert(event, Outcomes).ranges
    return {
        "ranges": len(outcomes),
        "accepted": sum(outcome.accepted for outcome in outcomes),
        "rejected": sum(outcome.rejected for outcome in outcomes),
        "failed": sum(outcome.failed for outcome in outcomes),
    }
