"""Starts that Step Functions throttles, and executions that Lambda throttles.

The emulator never throttles a start, so a small server replaces it.
"""

import pytest

from amberflo_workflows.core.aws_call import AwsError
from amberflo_workflows.core.chunks import encode_usage
from amberflo_workflows.core.reported_usage import ReportedUsage
from amberflo_workflows.entrypoints import ingest_queue
from amberflo_workflows.entrypoints.api_response import run_for_caller
from amberflo_workflows.entrypoints.workflows import LAMBDA_THROTTLED
from tests.entrypoints.step_functions import MACHINE, OUTPUT, StepFunctions, fail

CHUNK = [encode_usage("message", ReportedUsage("e", "2026-01-01T00:00:00Z", 0, {}))]


@pytest.fixture(autouse=True)
def without_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_queue, "WAIT_SECONDS", (0, 0))
    monkeypatch.setenv("INGEST_USAGE_STATE_MACHINE_ARN", MACHINE)


def test_a_throttled_start_or_execution_is_retried(step_functions: StepFunctions) -> None:
    throttled = fail(LAMBDA_THROTTLED)
    step_functions.outcomes = ["ThrottlingException", throttled, "TooManyRequestsException", throttled]
    result = ingest_queue._run(CHUNK)
    assert (result.output, len(step_functions.inputs)) == (OUTPUT, 5)


@pytest.mark.parametrize(("error", "starts"), [("ThrottlingException", 8), ("AccessDeniedException", 1)])
def test_continued_throttling_and_other_errors_are_raised(
    step_functions: StepFunctions, error: str, starts: int
) -> None:
    step_functions.outcomes = [error] * 10
    with pytest.raises(AwsError, match=error):
        ingest_queue._run(CHUNK)
    assert len(step_functions.inputs) == starts


@pytest.mark.parametrize(("error", "starts"), [(LAMBDA_THROTTLED, 8), ("Lambda.ServiceException", 1)])
def test_an_execution_that_is_throttled_again_and_again_fails(
    step_functions: StepFunctions, error: str, starts: int
) -> None:
    step_functions.outcomes = [fail(error)] * 10
    assert (ingest_queue._run(CHUNK).error, len(step_functions.inputs)) == (error, starts)


def test_an_execution_that_ends_late_is_not_followed_by_another(
    step_functions: StepFunctions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The function would time out, and the other messages of its batch would be delivered again as well."""
    monkeypatch.setattr(ingest_queue, "START_SECONDS", 0)
    step_functions.outcomes = [fail(LAMBDA_THROTTLED)]
    assert (ingest_queue._run(CHUNK).error, len(step_functions.inputs)) == (LAMBDA_THROTTLED, 1)


def test_a_caller_learns_that_lambda_is_throttling_and_when_to_call_again(step_functions: StepFunctions) -> None:
    step_functions.outcomes = [fail(LAMBDA_THROTTLED)]
    response = run_for_caller(MACHINE, {}, repeatable=True)
    assert (response.status, response.headers["Retry-After"], len(step_functions.inputs)) == (503, "10", 1)
    assert "AWS Lambda is throttling" in response.body["message"]
