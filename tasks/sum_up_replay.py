"""Last step of ``replay_usage``: add up the outcomes of the slices.

Input: ``{"outcomes": [{"sent", "rejected", "cancelled", "tooOld", "failed"}…], "dryRun"}``. Output: their sums, the
number of ``slices``, and ``dryRun``.

A slice whose execution was stopped has another outcome, which Step Functions does not document. It counts as failed.
"""

from collections import Counter
from typing import Any

import msgspec
from msgspec import Struct


class SliceOutcome(Struct, rename="camel"):
    """The outcome of a slice; ``failed`` is 1 if its usage was not sent completely."""

    sent: int = 0
    rejected: int = 0
    cancelled: int = 0
    too_old: int = 0
    failed: int = 0


class SliceOutcomes(Struct, rename="camel"):
    """The event of this step."""

    outcomes: list[Any]
    dry_run: bool


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    step_input = msgspec.convert(event, SliceOutcomes)
    sums = Counter(dict.fromkeys(SliceOutcome.__struct_encode_fields__, 0))
    for outcome in step_input.outcomes:
        sums.update(msgspec.to_builtins(_read_outcome(outcome)))
    return {"slices": len(step_input.outcomes), **sums, "dryRun": step_input.dry_run}


def _read_outcome(outcome: object) -> SliceOutcome:
    try:
        if isinstance(outcome, dict) and "failed" in outcome:
            return msgspec.convert(outcome, SliceOutcome)
    except msgspec.ValidationError:
        pass
    return SliceOutcome(failed=1)
