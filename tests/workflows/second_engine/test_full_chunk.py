"""Every state's input and output while a full chunk is sent usage by usage: on the emulator that takes minutes."""

from itertools import repeat
from typing import Any

import msgspec
import pytest

from amberflo_workflows.core.chunks import MAX_CHUNK_USAGES
from amberflo_workflows.core.reported_usage import ReportedUsage, build_rejected_usage, truncate_reason
from tests.workflows.second_engine.engine import MotoEngine
from tests.workflows.second_engine.replay import WORKFLOWS, list_functions
from tests.workflows.second_engine.stand_in import StandIn
from tests.workflows.test_payloads import build_chunk


def _send_alone(event: dict[str, Any], accepted: int) -> dict[str, Any]:
    """Accept each usage whose place is a multiple of ``accepted``, and reject others with the longest reason."""
    place, (usage,) = event["request"]["first"], event["request"]["usages"]
    if accepted and place % accepted == 0:
        return {"counted": [usage["usage"]["uniqueId"]], "rejected": [], "rejectedPlaces": []}
    reason = truncate_reason("😀" * 100)
    rejected = build_rejected_usage(msgspec.convert(usage, ReportedUsage), place, reason)
    return {"counted": [], "rejected": [rejected], "rejectedPlaces": [place]}


# All are rejected, or every second one; texts with escapes are longest as JSON.
@pytest.mark.parametrize(("letter", "length", "accepted"), [("x", 40, 0), ('"', 25, 2)])
def test_every_state_of_a_full_chunk_fits(engine: MotoEngine, letter: str, length: int, accepted: int) -> None:
    chunk = build_chunk(letter, length, 3)
    assert len(chunk) == MAX_CHUNK_USAGES
    stand_in = StandIn(
        list_functions("ingest_usage"),
        {"SendInBackground": repeat("AmberfloBatchRejected")},
        {"SendUsage": lambda event: _send_alone(event, accepted)},
    )
    execution = engine.run(WORKFLOWS["ingest_usage"], {"usages": chunk}, stand_in)
    assert execution.error == "", execution.cause
    data = execution.output["body"]["data"]
    assert data["accepted"] + len(data["rejected"]) == len(chunk)
    # The run checks every input and output; the largest ones are the chunk, or its outcomes.
    assert execution.max_bytes > 90_000
