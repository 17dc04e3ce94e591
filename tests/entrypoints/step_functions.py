"""A small Step Functions, for starts that it throttles and outcomes that the emulator cannot be made to have."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.http_server import serving

MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:IngestUsage"
OUTPUT = {"statusCode": 200, "body": {}}
SUCCESS = {"status": "SUCCEEDED", "output": json.dumps(OUTPUT)}


@dataclass
class StepFunctions:
    """The outcomes of the next starts, which then succeed: an execution, or the code of an error of the start."""

    url: str = ""
    outcomes: list[str | dict[str, str]] = field(default_factory=list)
    inputs: list[Any] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL_SFN": self.url,
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }


def fail(error: str, cause: str = "no") -> dict[str, str]:
    return {"status": "FAILED", "error": error, "cause": cause}


@contextlib.contextmanager
def running_step_functions() -> Iterator[StepFunctions]:
    state = StepFunctions()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.inputs.append(json.loads(request["input"]))
            outcome = state.outcomes.pop(0) if state.outcomes else SUCCESS
            status, response = 200, {"executionArn": "arn", "startDate": 0, "stopDate": 0}
            if isinstance(outcome, str):
                status, response = 400, {"__type": outcome, "message": "no"}
            else:
                response |= outcome
            body = json.dumps(response).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler) as state.url:
        yield state
