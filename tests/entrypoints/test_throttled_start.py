"""Starts that Step Functions throttles, and executions that Lambda throttles.

The emulator never throttles a start, so a small server replaces it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

import pytest
from botocore.exceptions import ClientError

from amberflo_workflows.core.reported_usage import ReportedUsage
from amberflo_workflows.entrypoints import ingest_queue
from amberflo_workflows.entrypoints.api_response import run_for_caller
from amberflo_workflows.entrypoints.workflows import LAMBDA_THROTTLED
from tests.http_server import serving

MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:IngestUsage"
USAGES = [ReportedUsage("e", "2026-01-01T00:00:00Z", 0, {})]


@dataclass
class StepFunctions:
    """The errors to return, one after the other; then it returns success."""

    errors: list[str] = field(default_factory=list)
    starts: int = 0


@pytest.fixture
def step_functions(monkeypatch: pytest.MonkeyPatch) -> Iterator[StepFunctions]:
    state = StepFunctions()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            state.starts += 1
            status, response = 200, {"executionArn": "arn", "status": "SUCCEEDED", "output": '{"statusCode": 200}'}
            if state.errors and state.errors[0].startswith("Lambda."):
                response = {"executionArn": "arn", "status": "FAILED", "error": state.errors.pop(0), "cause": "no"}
            elif state.errors:
                status, response = 400, {"__type": state.errors.pop(0), "message": "no"}
            body = json.dumps(response).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.setattr(ingest_queue, "WAIT_SECONDS", (0, 0))
    for name, value in {
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "INGEST_USAGE_STATE_MACHINE_ARN": MACHINE,
    }.items():
        monkeypatch.setenv(name, value)
    with serving(Handler) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SFN", url)
        yield state


def test_a_throttled_start_or_execution_is_retried(step_functions: StepFunctions) -> None:
    step_functions.errors = ["ThrottlingException", LAMBDA_THROTTLED, "TooManyRequestsException", LAMBDA_THROTTLED]
    result = ingest_queue._run(USAGES)
    assert (result.output, step_functions.starts) == ({"statusCode": 200}, 5)


@pytest.mark.parametrize(("error", "starts"), [("ThrottlingException", 8), ("AccessDeniedException", 1)])
def test_continued_throttling_and_other_errors_are_raised(
    step_functions: StepFunctions, error: str, starts: int
) -> None:
    step_functions.errors = [error] * 10
    with pytest.raises(ClientError, match=error):
        ingest_queue._run(USAGES)
    assert step_functions.starts == starts


@pytest.mark.parametrize(("error", "starts"), [(LAMBDA_THROTTLED, 8), ("Lambda.ServiceException", 1)])
def test_an_execution_that_is_throttled_again_and_again_fails(
    step_functions: StepFunctions, error: str, starts: int
) -> None:
    step_functions.errors = [error] * 10
    assert (ingest_queue._run(USAGES).error, step_functions.starts) == (error, starts)


def test_an_execution_that_ends_late_is_not_followed_by_another(
    step_functions: StepFunctions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The function would time out, and the other messages of its batch would be delivered again as well."""
    monkeypatch.setattr(ingest_queue, "START_SECONDS", 0)
    step_functions.errors = [LAMBDA_THROTTLED]
    assert (ingest_queue._run(USAGES).error, step_functions.starts) == (LAMBDA_THROTTLED, 1)


def test_a_caller_learns_that_lambda_is_throttling_and_when_to_call_again(step_functions: StepFunctions) -> None:
    step_functions.errors = [LAMBDA_THROTTLED]
    response = run_for_caller(MACHINE, {}, repeatable=True)
    assert (response.status, response.headers["Retry-After"], step_functions.starts) == (503, "10", 1)
    assert "AWS Lambda is throttling" in response.body["message"]
