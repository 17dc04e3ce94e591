"""The rules of each row by TestState, which runs a single state with an error in place of its Lambda.

By default the emulator's. With ``STEP_FUNCTIONS_ENDPOINT=https://states.REGION.amazonaws.com`` it is AWS's, which takes
no role, since every error is a mock, and creates nothing.
"""

import json
import os
from typing import Any

import boto3
import pytest

from amberflo_workflows.local.emulator import Emulator
from tests.workflows.asl import FILES, iter_states, workflow_name
from tests.workflows.faults.cells import SOAK
from tests.workflows.faults.matrix import MatrixRow, load_rows
from tests.workflows.runner import MOTO
from tests.workflows.second_engine.definitions import build_definition

pytestmark = pytest.mark.emulator

STATES = {
    (workflow_name(path), state.name): state.body for path in FILES for state in iter_states(build_definition(path))
}
# The error of a map is that of a state inside it.
ROWS = [row for row in load_rows() if STATES[row.workflow, row.state]["Type"] == "Task"]
# An error that no rule names, for the rows of States.ALL.
UNNAMED = "Unnamed"
ENDPOINT = os.environ.get("STEP_FUNCTIONS_ENDPOINT")
_REJECTED = {"id": "id", "reason": "none", "uniqueId": "id", "tenantId": "t", "meterApiName": "m"}
# What any of the states reads.
INPUT = {
    **_REJECTED,
    "answer": {"rejected": _REJECTED},
    "apiKey": {"secretId": "secret", "versionId": "1", "refreshed": False},
    "found": {"statusCode": 200, "body": {"data": {"id": "meter", "meterApiName": "m"}}},
    "place": 0,
    "reported": {},
}
CONTEXT = {
    "Execution": {
        "Id": "arn:aws:states:us-east-1:000000000000:execution:tests:tests",
        "Input": {"meterId": "meter", "usages": [{}]},
        "Name": "tests",
        "StartTime": "2026-01-01T00:00:00Z",
    },
    "State": {"EnteredTime": "2026-01-01T00:00:00Z", "Name": "tests", "RetryCount": 0},
}


@pytest.fixture(scope="module")
def client(emulator: Emulator) -> Any:
    if ENDPOINT in {None, MOTO}:
        return emulator.client("stepfunctions")
    return boto3.client("stepfunctions", endpoint_url=ENDPOINT)


def _run(client: Any, state: dict[str, Any], error: str, retries: int) -> tuple[str, str]:
    """What follows an error that the state has raised ``retries`` times before: the status, and the next state."""
    result = client.test_state(
        definition=json.dumps(state),
        input=json.dumps(INPUT),
        context=json.dumps(CONTEXT),
        mock={"errorOutput": {"error": error, "cause": "{}"}},
        stateConfiguration={"retrierRetryCount": retries},
    )
    return result["status"], result.get("nextState", "")


def _find_end(state: dict[str, Any], error: str) -> tuple[str, str]:
    """What follows the last attempt."""
    for catcher in state.get("Catch", []):
        if {error, "States.ALL"} & set(catcher["ErrorEquals"]):
            return "CAUGHT_ERROR", catcher["Next"]
    return "FAILED", ""


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_an_error_is_retried_as_often_as_the_row_says_and_then_caught_or_not(client: Any, row: MatrixRow) -> None:
    state = STATES[row.workflow, row.state]
    for error in sorted(row.errors) if SOAK else [min(row.errors)]:
        raised = UNNAMED if error == "States.ALL" else error
        end = _find_end(state, raised)
        # The second attempt after a rejected key is the workflow's, not the state's.
        retries = 0 if end[1] == "WasApiKeyRefreshed" else row.attempts - 1
        retriable = ("RETRIABLE", "")
        if client.meta.endpoint_url.startswith("http://127.0.0.1") and end[0] == "CAUGHT_ERROR":
            # The emulator's TestState, unlike its executions, looks for a catcher first.
            retriable = end
        actual = [_run(client, state, raised, count) for count in range(retries + 1)]
        assert actual == [*[retriable] * retries, end], raised
