"""Last step of ``backfill_usage``: add up the outcomes of the ranges.

Input: ``{"ranges": [{"accepted", "rejected", "failed"}…]}``. Output: their sums, and the number of ranges.

A range whose execution was stopped has another outcome, which Step Functions does not document.
It counts as failed.
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
    ranges: list[Any]


def handler(event: dict[str, Any], _context: object) -> dict[str, int]:
    outcomes = [_read_outcome(outcome) for outcome in msgspec.convert(event, Outcomes).ranges]
    return {
        "ranges": len(outcomes),
        "accepted": sum(outcome.accepted for outcome in outcomes),
        "rejected": sum(outcome.rejected for outcome in outcomes),
        "failed": sum(outcome.failed for outcome in outcomes),
    }


def _read_outcome(outcome: object) -> RangeOutcome:
    try:
        return msgspec.convert(outcome, RangeOutcome)
    except msgspec.ValidationError:
        return RangeOutcome(accepted=0, rejected=0, failed=1)
