"""The input and output of each state of ``ingest_usage`` are within the limit if all usage of a chunk is rejected.

The texts have characters of several bytes.
"""

import json
import time
from typing import Any

import msgspec
import pytest

from amberflo_workflows.core.chunks import encode_usage, extract_usages, split_into_chunks
from amberflo_workflows.entrypoints.workflows import MAX_INPUT_BYTES
from tests.conftest import sandbox_of
from tests.core.test_chunks import OTHER_STATE_BYTES
from tests.workflows.runner import Runner

pytestmark = [pytest.mark.system, pytest.mark.meters("m")]


def build_chunk(letter: str, length: int, value: Any) -> list[Any]:
    """The first chunk of 300 usages whose texts repeat the letter."""
    names = {"tenantId": letter * length, "uniqueId": f"{time.time()}{letter * length}", "meterApiName": "m"}
    usage = {**names, "meterValue": value, "meterTimeInMillis": int(time.time() * 1000)}
    reported = extract_usages({"records": [usage] * 300}, event_id="e" * 36, event_time="")
    chunk = next(split_into_chunks(encode_usage(None, usage) for usage in reported))
    return [msgspec.json.decode(usage.text) for usage in chunk]


def _max_payload(runner: Runner, chunk: list[Any], reason: str) -> int:
    """Bytes of the largest input or output; with escapes, which some runtimes write and which are never shorter."""
    execution = runner.run("ingest_usage", {"usages": chunk})
    rejected = execution.output["body"]["data"]["rejected"]
    assert [item["index"] for item in rejected] == list(range(len(chunk)))
    assert {item["reason"][: len(reason)] for item in rejected} == {reason}
    return max(runner.payloads(execution.arn, escaped=True))


@pytest.mark.parametrize(("letter", "length"), [("😀", 150), ("é", 40), ('"', 150)])
def test_a_full_chunk_of_invalid_usage(runner: Runner, letter: str, length: int) -> None:
    max_bytes = _max_payload(runner, build_chunk(letter, length, "3"), "meterValue must be a number")
    assert 80_000 < max_bytes <= MAX_INPUT_BYTES


def test_everything_but_the_rejections_fits_into_its_reserve(runner: Runner) -> None:
    # Small usages with a long reason. Not a full chunk: the emulator takes minutes to send each usage alone.
    body = json.dumps({"errorMessage": "😀" * 900})
    sandbox_of(runner.system).set_faults([{"kind": "status", "status": 400, "path": "/ingest", "body": body}])
    assert 5_000 < _max_payload(runner, build_chunk("😀", 1, 3)[:2], "Amberflo rejected it: 😀") <= OTHER_STATE_BYTES
