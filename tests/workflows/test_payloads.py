"""Usage in letters of many bytes, all of it refused: each state of ``ingest_usage`` hands on no more than it may."""

import json
import time
from typing import Any

import msgspec
import pytest

from amberflo_workflows.core.chunks import extract_usages, split_into_chunks
from amberflo_workflows.entrypoints.workflows import MAX_INPUT_BYTES
from tests.conftest import sandbox_of
from tests.core.test_chunks import OTHER_STATE_BYTES
from tests.workflows.runner import Runner

pytestmark = pytest.mark.system


def _chunk(letter: str, length: int, value: Any) -> list[Any]:
    """The first chunk of 300 usages with such names."""
    names = {"tenantId": letter * length, "uniqueId": f"{time.time()}{letter * length}", "meterApiName": "m"}
    usage = {**names, "meterValue": value, "meterTimeInMillis": int(time.time() * 1000)}
    reported = extract_usages({"records": [usage] * 300}, event_id="e" * 36, event_time="")
    chunk: list[Any] = msgspec.to_builtins(next(split_into_chunks((None, one) for one in reported)))
    return [usage for _, usage in chunk]


def _largest(runner: Runner, chunk: list[Any], reason: str) -> int:
    """Bytes of the most that a state had: escaped, as some runtimes do, since that is never smaller."""
    execution = runner.run("ingest_usage", {"usages": chunk})
    rejected = execution.output["body"]["data"]["rejected"]
    assert [one["index"] for one in rejected] == list(range(len(chunk)))
    assert {one["reason"][: len(reason)] for one in rejected} == {reason}
    return max(runner.payloads(execution.arn, escaped=True))


@pytest.mark.parametrize(("letter", "length"), [("😀", 150), ("é", 40), ('"', 150)])
def test_a_full_chunk_that_is_wrong_by_its_form(runner: Runner, letter: str, length: int) -> None:
    largest = _largest(runner, _chunk(letter, length, "3"), "meterValue must be a number")
    assert 80_000 < largest <= MAX_INPUT_BYTES


def test_what_is_kept_beside_the_refusals_is_what_was_reckoned_with(runner: Runner) -> None:
    # Small usages, refused with many words. Not a full chunk: to send each alone takes the emulator minutes.
    refusal = json.dumps({"errorMessage": "😀" * 900})
    sandbox_of(runner.system).set_faults([{"kind": "status", "status": 400, "path": "/ingest", "body": refusal}])
    assert 5_000 < _largest(runner, _chunk("😀", 1, 3)[:2], "Amberflo rejected it: 😀") <= OTHER_STATE_BYTES
