"""What the other tests check of each history: a size at its limit passes, and one past it fails."""

import json
from typing import Any

import pytest

from tests.workflows.payloads import (
    MAX_CAUSE_CHARACTERS,
    MAX_ERROR_CHARACTERS,
    MAX_EVENTS,
    MAX_PAYLOAD_BYTES,
    check_history,
    list_payload_bytes,
)

STARTED = {"executionStartedEventDetails": {"input": "{}"}}


def _build_history(kind: str, member: str, value: str) -> list[Any]:
    return [STARTED, {"id": 2, f"{kind}EventDetails": {member: value}}]


@pytest.mark.parametrize(
    ("kind", "member"),
    [
        ("executionStarted", "input"),
        ("stateEntered", "input"),
        ("stateExited", "output"),
        ("taskScheduled", "parameters"),
        ("lambdaFunctionScheduled", "input"),
        ("executionSucceeded", "output"),
    ],
)
def test_an_input_or_output_has_the_bytes_of_a_state(kind: str, member: str) -> None:
    # Two quotation marks, and two bytes for each letter.
    text = "é" * ((MAX_PAYLOAD_BYTES - 2) // 2)
    assert check_history(_build_history(kind, member, json.dumps(text))) == MAX_PAYLOAD_BYTES
    with pytest.raises(AssertionError):
        check_history(_build_history(kind, member, json.dumps(text + "é")))


@pytest.mark.parametrize(("member", "limit"), [("cause", MAX_CAUSE_CHARACTERS), ("error", MAX_ERROR_CHARACTERS)])
def test_an_error_has_its_maximum_length(member: str, limit: int) -> None:
    check_history(_build_history("taskFailed", member, "x" * limit))
    with pytest.raises(AssertionError):
        check_history(_build_history("taskFailed", member, "x" * (limit + 1)))


def test_a_history_has_the_maximum_number_of_events() -> None:
    check_history([STARTED] * MAX_EVENTS)
    with pytest.raises(AssertionError):
        check_history([STARTED] * (MAX_EVENTS + 1))


def test_bytes_are_counted_in_utf_8_or_escaped() -> None:
    history = _build_history("stateEntered", "input", '"\\u00e9"')
    assert list_payload_bytes(history, escaped=False) == [2, 4]
    assert list_payload_bytes(history, escaped=True) == [2, 8]
