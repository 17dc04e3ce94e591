"""What a caller of the API gets for each outcome of an execution, and of its start."""

import json

import pytest

from amberflo_workflows.entrypoints.api_response import run_for_caller
from amberflo_workflows.entrypoints.workflows import (
    LAMBDA_THROTTLED,
    MAX_INPUT_BYTES,
    run_workflow,
    start_with_api,
    step_functions,
)
from tests.entrypoints.step_functions import MACHINE, StepFunctions, fail

START = start_with_api(step_functions(read_seconds=5))
# As Lambda reports an error of a handler.
CAUSE = json.dumps({"errorType": "E", "errorMessage": "the message", "stackTrace": ["secret"]})


@pytest.mark.parametrize("repeatable", [True, False])
def test_the_output_of_an_execution_is_the_response(step_functions: StepFunctions, *, repeatable: bool) -> None:
    output = {"statusCode": 201, "body": {"data": {"id": "m"}}}
    step_functions.outcomes = [{"status": "SUCCEEDED", "output": json.dumps(output)}]
    response = run_for_caller(MACHINE, {"label": "é"}, repeatable=repeatable)
    assert (response.status, response.body) == (201, {"data": {"id": "m"}})
    assert response.headers == {"x-execution-arn": "arn"}
    assert step_functions.inputs == [{"label": "é"}]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("AmberfloThrottled", 503),
        ("AmberfloUnavailable", 502),
        ("AmberfloUnauthorized", 502),
        ("AmberfloBatchRejected", 502),
        ("ApiKeyUnavailable", 502),
    ],
)
def test_a_message_of_ours_reaches_the_caller(step_functions: StepFunctions, error: str, status: int) -> None:
    step_functions.outcomes = [fail(error, CAUSE)]
    response = run_for_caller(MACHINE, {}, repeatable=True)
    assert (response.status, response.body) == (status, {"statusCode": status, "message": "the message"})
    expected = {"x-execution-arn": "arn"} | ({"Retry-After": "10"} if status == 503 else {})
    assert response.headers == expected


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (fail("States.Timeout", CAUSE), 504),
        (fail("MeterTimedOut", CAUSE), 504),
        ({"status": "TIMED_OUT"}, 504),
        (fail("KeyError", CAUSE), 500),
        ({"status": "FAILED"}, 500),
        (fail(LAMBDA_THROTTLED, CAUSE), 503),
    ],
    ids=str,
)
def test_any_other_message_does_not(step_functions: StepFunctions, outcome: dict[str, str], status: int) -> None:
    step_functions.outcomes = [outcome]
    response = run_for_caller(MACHINE, {}, repeatable=True)
    assert (response.status, response.body["statusCode"]) == (status, status)
    assert "the message" not in response.body["message"]
    assert response.headers["x-execution-arn"] == "arn"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ThrottlingException", 503),
        ("TooManyRequestsException", 503),
        ("ServiceQuotaExceededException", 503),
        ("AccessDeniedException", 500),
        ("StateMachineDoesNotExist", 500),
    ],
)
def test_an_execution_that_cannot_be_started_is_an_error_without_one(
    step_functions: StepFunctions, code: str, status: int
) -> None:
    step_functions.outcomes = [code]
    response = run_for_caller(MACHINE, {}, repeatable=True)
    assert (response.status, response.body["statusCode"]) == (status, status)
    assert (code in response.body["message"], "Retry-After" in response.headers) == (status == 500, status == 503)
    assert ("x-execution-arn" in response.headers, len(step_functions.inputs)) == (False, 1)


def test_step_functions_that_cannot_be_reached_is_a_500(
    step_functions: StepFunctions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SFN", "http://127.0.0.1:9")
    response = run_for_caller(MACHINE, {}, repeatable=False)
    assert (response.status, response.body["statusCode"], step_functions.inputs) == (500, 500, [])


@pytest.mark.parametrize(("size", "status"), [(MAX_INPUT_BYTES, 200), (MAX_INPUT_BYTES + 1, 413)])
def test_an_input_over_the_limit_is_a_413_and_not_started(
    step_functions: StepFunctions, size: int, status: int
) -> None:
    """It is counted in UTF-8: this letter has two bytes."""
    request = {"text": "é" + "x" * (size - len('{"text":"é"}'.encode()))}
    response = run_for_caller(MACHINE, request, repeatable=True)
    assert (response.status, step_functions.inputs) == (status, [request] if status == 200 else [])


@pytest.mark.parametrize(
    ("cause", "expected"),
    [(CAUSE, "the message"), ("stopped", "stopped"), ("[1]", ""), ("{}", ""), ("", "")],
)
def test_the_cause_of_a_failure_is_its_message(step_functions: StepFunctions, cause: str, expected: str) -> None:
    step_functions.outcomes = [fail("E", cause)]
    result = run_workflow(MACHINE, {}, START, repeatable=True)
    assert (result.arn, result.output, result.error, result.cause) == ("arn", None, "E", expected)


def test_a_failure_without_a_name_has_that_of_step_functions(step_functions: StepFunctions) -> None:
    step_functions.outcomes = [{"status": "FAILED"}, {"status": "TIMED_OUT", "error": "other"}]
    errors = [run_workflow(MACHINE, {}, START, repeatable=True).error for _ in range(2)]
    assert errors == ["States.Runtime", "States.Timeout"]
