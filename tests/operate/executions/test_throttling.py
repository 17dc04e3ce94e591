"""AWS's refusal to be asked so often, from a small server: the emulator never refuses."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from amberflo_workflows.operate.executions.throttling import retry_throttled


class _Busy(BaseHTTPRequestHandler):
    """Refuses so many calls, and counts all."""

    refusals = 0
    code = "ThrottlingException"
    calls = 0
    url = ""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        type(self).calls += 1
        refused = self.calls <= self.refusals
        body = json.dumps({"__type": self.code} if refused else {"events": []}).encode()
        self.send_response(400 if refused else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def busy() -> Iterator[type[_Busy]]:
    class Busy(_Busy):
        pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Busy)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    Busy.url = f"http://127.0.0.1:{server.server_port}"
    yield Busy
    server.shutdown()
    thread.join()
    server.server_close()


def _logs(busy: type[_Busy]) -> Any:
    config = Config(retries={"mode": "standard", "total_max_attempts": 1}, proxies={})
    session = boto3.Session(aws_access_key_id="x", aws_secret_access_key="x", region_name="us-east-1")
    return session.client("logs", endpoint_url=busy.url, config=config)


def test_a_look_that_was_refused_is_had_again(busy: type[_Busy]) -> None:
    busy.refusals = 2
    client = retry_throttled(retry_throttled(_logs(busy), "FilterLogEvents"), "FilterLogEvents")
    assert client.filter_log_events(logGroupName="group")["events"] == []
    assert busy.calls == 3


def test_nothing_else_is_tried_twice(busy: type[_Busy]) -> None:
    busy.refusals = 1
    client = retry_throttled(_logs(busy), "FilterLogEvents")
    with pytest.raises(ClientError):
        client.describe_log_groups()
    busy.refusals, busy.code = 2, "ResourceNotFoundException"
    with pytest.raises(ClientError):
        client.filter_log_events(logGroupName="group")
    assert busy.calls == 2
