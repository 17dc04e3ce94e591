"""Starts that Step Functions throttles. The emulator never does, so a small server replaces it."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from botocore.exceptions import ClientError

from amberflo_workflows.core.reported_usage import ReportedUsage
from amberflo_workflows.entrypoints import ingest_queue

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
            if state.errors:
                status, response = 400, {"__type": state.errors.pop(0), "message": "no"}
            body = json.dumps(response).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    for name, value in {
        "AWS_ENDPOINT_URL_SFN": f"http://127.0.0.1:{server.server_address[1]}",
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "INGEST_USAGE_STATE_MACHINE_ARN": MACHINE,
    }.items():
        monkeypatch.setenv(name, value)
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_throttled_start_is_retried(step_functions: StepFunctions) -> None:
    step_functions.errors = ["ThrottlingException", "TooManyRequestsException"]
    result = ingest_queue._run(USAGES)
    assert (result.output, step_functions.starts) == ({"statusCode": 200}, 3)


@pytest.mark.parametrize(("error", "starts"), [("ThrottlingException", 4), ("AccessDeniedException", 1)])
def test_continued_throttling_and_other_errors_are_raised(
    step_functions: StepFunctions, error: str, starts: int
) -> None:
    step_functions.errors = [error] * 10
    with pytest.raises(ClientError, match=error):
        ingest_queue._run(USAGES)
    assert step_functions.starts == starts
