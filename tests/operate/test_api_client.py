"""Responses that the deployed API does not send, from a small server."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from amberflo_workflows.local.processes import find_free_port
from amberflo_workflows.operate.api_client import ApiClient, ApiError, request_token
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.loopback import LOOPBACK


@dataclass
class FakeServer:
    """A server with a configured response; has the headers and path of the last request."""

    status: int = 200
    body: bytes = b'{"data": []}'
    headers: dict[str, str] = field(default_factory=dict)
    request_headers: dict[str, str] = field(default_factory=dict)
    path: str = ""
    url: str = ""


@pytest.fixture
def server() -> Iterator[FakeServer]:
    fake = FakeServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fake.request_headers, fake.path = dict(self.headers), self.path
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(fake.status)
            for name, value in fake.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(fake.body)

        do_POST = do_GET  # noqa: N815 - the server looks for this name

        def log_message(self, *_: Any) -> None:
            pass

    http_server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    fake.url = f"http://{LOOPBACK}:{http_server.server_port}/"
    thread = threading.Thread(target=http_server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield fake
    http_server.shutdown()
    thread.join()
    http_server.server_close()


@pytest.fixture
def client(server: FakeServer) -> Iterator[ApiClient]:
    with requests.Session() as session:
        yield ApiClient(server.url, "the-token", session)


def test_an_error_has_message_and_details_on_one_line(server: FakeServer, client: ApiClient) -> None:
    details = [{"field": "label", "problem": "is missing"}, {"field": "unit", "problem": "is too\nlong"}, "odd"]
    body = {"statusCode": 400, "message": "The request is wrong. label: is missing.", "details": details}
    server.status, server.body, server.headers = 400, json.dumps(body).encode(), {"x-execution-arn": "arn:1"}
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
def test_an_unexpected_response_is_an_error(server: FakeServer, client: ApiClient, status: int, body: bytes) -> None:
    server.status, server.body = status, body
    with pytest.raises(OperatorError, match=f"GET {server.url}meters responded with {status} and an unexpected body"):
        client.call("GET", "meters")


def test_a_redirect_is_not_followed_with_the_token(server: FakeServer, client: ApiClient) -> None:
    server.status, server.headers = 302, {"Location": f"{server.url}elsewhere"}
    with pytest.raises(ApiError, match="responded with 302"):
        client.call("GET", "meters")
    assert server.path == "/meters"


def test_a_netrc_file_does_not_replace_the_token(
    server: FakeServer, client: ApiClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login me password mine\n")
    monkeypatch.setenv("NETRC", str(netrc))
    client.call("GET", "meters")
    assert server.request_headers["Authorization"] == "Bearer the-token"


def test_an_id_is_escaped_in_the_path(server: FakeServer, client: ApiClient) -> None:
    client.call("GET", "meters", "../usage?x=1#y")
    assert server.path == "/meters/..%2Fusage%3Fx%3D1%23y"


def test_a_query_parameter_with_a_list_is_repeated(server: FakeServer, client: ApiClient) -> None:
    client.call("GET", "usage", query={"tenantId": ["Acme, Inc.", "b"], "take": 5})
    assert server.path == "/usage?tenantId=Acme%2C+Inc.&tenantId=b&take=5"


def test_an_unreachable_api_is_an_error() -> None:
    unused_url = f"http://{LOOPBACK}:{find_free_port()}/"
    with requests.Session() as session, pytest.raises(OperatorError, match="cannot be reached"):
        ApiClient(unused_url, "the-token", session).call("GET", "meters")
    with pytest.raises(OperatorError, match=r"No access token: .* cannot be reached"):
        request_token(unused_url, "id", "secret")


def test_a_rejected_client_is_an_error_that_names_access_token(server: FakeServer) -> None:
    server.status, server.body = 400, b'{"error": "invalid_client"}'
    with pytest.raises(OperatorError, match=r"responded with 400\. You can also set ACCESS_TOKEN"):
        request_token(server.url, "id", "secret")
