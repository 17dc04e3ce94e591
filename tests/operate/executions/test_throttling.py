"""Throttling by AWS, from a small server, because the emulator never throttles."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from amberflo_workflows.operate.executions.throttling import retry_throttled
from tests.http_server import serving


class _ThrottlingHandler(BaseHTTPRequestHandler):
    """Throttles the first ``throttled_calls`` calls, and counts all calls."""

    throttled_calls = 0
    code = "ThrottlingException"
    calls = 0
    url = ""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        type(self).calls += 1
        is_throttled = self.calls <= self.throttled_calls
        body = json.dumps({"__type": self.code} if is_throttled else {"events": []}).encode()
        self.send_response(400 if is_throttled else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def handler() -> Iterator[type[_ThrottlingHandler]]:
    class Handler(_ThrottlingHandler):
        pass

    with serving(Handler) as Handler.url:
        yield Handler


def _logs(handler: type[_ThrottlingHandler]) -> Any:
    config = Config(retries={"mode": "standard", "total_max_attempts": 1}, proxies={})
    session = boto3.Session(aws_access_key_id="x", aws_secret_access_key="x", region_name="us-east-1")
    return session.client("logs", endpoint_url=handler.url, config=config)


def test_a_throttled_read_is_retried(handler: type[_ThrottlingHandler]) -> None:
    handler.throttled_calls = 2
    client = retry_throttled(retry_throttled(_logs(handler), "FilterLogEvents"), "FilterLogEvents")
    assert client.filter_log_events(logGroupName="group")["events"] == []
    assert handler.calls == 3


def test_other_operations_and_errors_are_not_retried(handler: type[_ThrottlingHandler]) -> None:
    handler.throttled_calls = 1
    client = retry_throttled(_logs(handler), "FilterLogEvents")
    with pytest.raises(ClientError):
        client.describe_log_groups()
    handler.throttled_calls, handler.code = 2, "ResourceNotFoundException"
    with pytest.raises(ClientError):
        client.filter_log_events(logGroupName="group")
    assert handler.calls == 2
