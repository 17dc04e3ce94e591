"""What the deployed API does not say, a small server does."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from amberflo_workflows.local.processes import free_port
from amberflo_workflows.operate.api_client import ApiClient, ApiError, request_token
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.loopback import LOOPBACK


@dataclass
class Said:
    """What the server answers, and what it heard last."""

    status: int = 200
    body: bytes = b'{"data": []}'
    headers: dict[str, str] = field(default_factory=dict)
    heard: dict[str, str] = field(default_factory=dict)
    path: str = ""
    url: str = ""


@pytest.fixture
def said() -> Iterator[Said]:
    answer = Said()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer.heard, answer.path = dict(self.headers), self.path
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        do_POST = do_GET  # noqa: N815 - the server looks for this name

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    answer.url = f"http://{LOOPBACK}:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield answer
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(said: Said) -> Iterator[ApiClient]:
    with requests.Session() as session:
        yield ApiClient(said.url, "the-token", session)


def test_an_error_tells_all_that_was_said_in_one_line(said: Said, client: ApiClient) -> None:
    details = [{"field": "label", "problem": "is missing"}, {"field": "unit", "problem": "is too\nlong"}, "odd"]
    body = {"statusCode": 400, "message": "The request is wrong. label: is missing.", "details": details}
    said.status, said.body, said.headers = 400, json.dumps(body).encode(), {"x-execution-arn": "arn:1"}
    with pytest.raises(ApiError) as caught:
        client.call("GET", "meters")
    assert str(caught.value) == (
        "The API responded with 400: The request is wrong. label: is missing. unit: is too long. odd. "
        "See: metering executions show arn:1"
    )


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b"<html>"), (200, b"[]"), (200, b"{}"), (502, b"Bad Gateway"), (200, b"\xff"), (200, b'{"a":' * 5000)],
)
def test_what_is_no_answer_of_the_apis_is_said(said: Said, client: ApiClient, status: int, body: bytes) -> None:
    said.status, said.body = status, body
    with pytest.raises(OperatorError, match=f"GET {said.url}meters responded with {status} and an unexpected body"):
        client.call("GET", "meters")


def test_a_redirect_is_not_followed_with_the_token(said: Said, client: ApiClient) -> None:
    said.status, said.headers = 302, {"Location": f"{said.url}elsewhere"}
    with pytest.raises(ApiError, match="responded with 302"):
        client.call("GET", "meters")
    assert said.path == "/meters"


def test_the_token_is_sent_whatever_a_netrc_file_has(
    said: Said, client: ApiClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login me password mine\n")
    monkeypatch.setenv("NETRC", str(netrc))
    client.call("GET", "meters")
    assert said.heard["Authorization"] == "Bearer the-token"


def test_an_id_cannot_lead_to_another_path(said: Said, client: ApiClient) -> None:
    client.call("GET", "meters", "../usage?x=1#y")
    assert said.path == "/meters/..%2Fusage%3Fx%3D1%23y"


def test_an_api_that_is_not_there_is_said() -> None:
    nowhere = f"http://{LOOPBACK}:{free_port()}/"
    with requests.Session() as session, pytest.raises(OperatorError, match="cannot be reached"):
        ApiClient(nowhere, "the-token", session).call("GET", "meters")
    with pytest.raises(OperatorError, match=r"No access token: .* cannot be reached"):
        request_token(nowhere, "id", "secret")


def test_a_refused_client_gets_no_token_and_hears_of_the_other_way(said: Said) -> None:
    said.status, said.body = 400, b'{"error": "invalid_client"}'
    with pytest.raises(OperatorError, match=r"responded with 400\. You can also set ACCESS_TOKEN"):
        request_token(said.url, "id", "secret")
