"""What a request to Amberflo has, and what each status of its response means."""

import gzip
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from amberflo_workflows.tasks.amberflo.client import AmberfloClient, build_path
from amberflo_workflows.tasks.amberflo.errors import AmberfloClientError, AmberfloThrottled
from tests.tasks.conftest import Steps
from tests.tasks.hostile import HostileServer, build_response, run_hostile_server

KEY = "key-1"


@pytest.fixture
def amberflo() -> Iterator[HostileServer]:
    with run_hostile_server() as server:
        yield server


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits of the client, which are left out."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    return waits


def _client(amberflo: HostileServer, seconds: float = 10) -> AmberfloClient:
    return AmberfloClient(KEY, amberflo.url, amberflo.url, seconds)


def _split(request: bytes) -> tuple[str, dict[str, str], bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    line, *headers = head.decode().split("\r\n")
    return line, {name.lower(): value for name, _, value in (header.partition(": ") for header in headers)}, body


def _status(status: int, body: Any = "", *headers: str) -> list[bytes | float]:
    return [
        build_response(
            body.encode() if isinstance(body, str) else json.dumps(body).encode(), *headers, status=f"{status} S"
        )
    ]


def test_a_request_has_the_key_and_json(amberflo: HostileServer) -> None:
    amberflo.script = _status(200, [])
    _client(amberflo).call("POST", "/usage", {"a": "é"}, params={"b": "c d"})
    line, headers, body = _split(amberflo.requests[0])
    assert (line, json.loads(body)) == ("POST /usage?b=c+d HTTP/1.1", {"a": "é"})
    assert (headers["x-api-key"], headers["accept"], headers["content-type"]) == (KEY, *["application/json"] * 2)


def test_an_id_is_one_part_of_the_path_whatever_characters_it_has(amberflo: HostileServer) -> None:
    amberflo.script = _status(200, [])
    _client(amberflo).call("GET", build_path("meters", "a/../b?c#d %é"))
    assert _split(amberflo.requests[0])[0] == "GET /meters/a%2F..%2Fb%3Fc%23d%20%25%C3%A9 HTTP/1.1"


def test_a_request_without_a_body_has_none(amberflo: HostileServer) -> None:
    amberflo.script = _status(200, [])
    _client(amberflo).call("GET", "/meters")
    assert _split(amberflo.requests[0])[2] == b""


@pytest.mark.parametrize(("size", "is_compressed"), [(1_399, False), (1_400, True), (90_000, True)])
def test_records_are_compressed_if_they_do_not_fit_into_a_packet(
    amberflo: HostileServer, size: int, *, is_compressed: bool
) -> None:
    amberflo.script = _status(200)
    records = b'["' + b"x" * (size - 4) + b'"]'
    _client(amberflo).ingest(records)
    line, headers, body = _split(amberflo.requests[0])
    assert (line, headers.get("content-encoding") == "gzip") == ("POST /ingest HTTP/1.1", is_compressed)
    assert (gzip.decompress(body) if is_compressed else body) == records


def test_other_requests_are_not_compressed(amberflo: HostileServer) -> None:
    amberflo.script = _status(200, {})
    _client(amberflo).call("POST", "/meters", {"description": "d" * 5_000})
    _, headers, body = _split(amberflo.requests[0])
    assert ("content-encoding" in headers, json.loads(body)) == (False, {"description": "d" * 5_000})


@pytest.mark.parametrize("seconds", [0, 5])
def test_after_the_wait_the_same_request_is_sent_once_more(
    amberflo: HostileServer, sleeps: list[float], seconds: int
) -> None:
    amberflo.keeps_open = True
    amberflo.script = _status(429, "", f"Retry-After: {seconds}")
    with pytest.raises(AmberfloThrottled):
        _client(amberflo).call("POST", "/usage", {"a": 1}, params={"b": "c"})
    first, second = amberflo.requests
    assert (first == second, sleeps) == (True, [seconds])


@pytest.mark.parametrize(("timeout", "value"), [(10, "5.1"), (6.4, "5"), (10, "-0.1")])
def test_a_wait_that_is_too_long_is_left_to_the_workflow(
    amberflo: HostileServer, sleeps: list[float], timeout: float, value: str
) -> None:
    """Half a second before the end of the state there must be a second left for the request."""
    amberflo.script = _status(429, "", f"Retry-After: {value}")
    with pytest.raises(AmberfloThrottled):
        _client(amberflo, timeout).call("GET", "/meters")
    assert (len(amberflo.requests), sleeps) == (1, [])


@pytest.mark.parametrize("status", [200, 201, 202])
def test_a_status_of_success(amberflo: HostileServer, status: int) -> None:
    amberflo.script = _status(status, {"a": 1})
    assert _client(amberflo).call("GET", "/meters") == {"a": 1}


@pytest.mark.parametrize(("status", "body"), [(204, ""), (200, ""), (200, " \n")])
def test_an_empty_response_is_none(amberflo: HostileServer, status: int, body: str) -> None:
    amberflo.script = _status(status, body)
    assert _client(amberflo).call("DELETE", "/meters/m") is None


@pytest.mark.parametrize("status", [400, 404, 409, 413, 422])
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"message": "from the gateway"}, "from the gateway"),
        ({"message": "from the gateway", "errorMessage": "from a service"}, "from a service"),
        ({"errorMessage": "", "message": "a\nb\x1b"}, "a b "),
        ({"message": "x" * 600}, "x" * 500),
    ],
)
def test_a_rejection_has_the_message_of_amberflo(
    amberflo: HostileServer, status: int, body: dict[str, str], message: str
) -> None:
    amberflo.script = _status(status, body)
    with pytest.raises(AmberfloClientError) as error_info:
        _client(amberflo).call("GET", "/meters")
    assert (error_info.value.status, error_info.value.message) == (status, message)


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"message": 5}', "<html>"])
def test_a_rejection_without_a_message_has_its_status(amberflo: HostileServer, body: str) -> None:
    amberflo.script = _status(400, body)
    with pytest.raises(AmberfloClientError, match="status 400 and no message"):
        _client(amberflo).call("GET", "/meters")


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (400, "no", 400),
        (422, "no", 400),
        (404, "no", 404),
        (409, "no", 409),
        (400, "a meter with this label already exists", 409),
        (400, "lockingStatus forbids it", 409),
        (404, "it already exists", 404),
    ],
)
def test_the_caller_gets_the_status_that_says_what_to_do(
    steps: Steps, status: int, message: str, expected: int
) -> None:
    fault = {"path": "/meters", "kind": "status", "status": status, "body": json.dumps({"message": message})}
    steps.sandbox.set_faults([fault])
    response = steps.run("list_meters", {})
    assert response == {"statusCode": expected, "body": {"statusCode": expected, "message": message}}
