import math
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from amberflo_workflows.core import connections
from amberflo_workflows.core.connections import Connections, Limits, NoResponse, Request
from amberflo_workflows.core.http_response import Response
from tests.tasks.hostile import HostileServer, build_response, run_hostile_server

LIMITS = Limits(connect_seconds=5, response_seconds=5)


@pytest.fixture
def server() -> Iterator[HostileServer]:
    with run_hostile_server() as running:
        running.keeps_open = True
        running.script = [build_response(b"body")]
        yield running


def send(server: Connections, *, max_idle_seconds: float = math.inf) -> bytes:
    request = Request("POST", "/path?a=b", {"Host": server.host}, b"sent")
    return server.send(request, Response.read, LIMITS, max_idle_seconds=max_idle_seconds)[1]


def test_a_request_is_sent_as_it_is(server: HostileServer) -> None:
    assert send(Connections(server.url)) == b"body"
    host = server.url.removeprefix("http://").encode()
    assert server.requests == [b"POST /path?a=b HTTP/1.1\r\nHost: " + host + b"\r\nContent-Length: 4\r\n\r\nsent"]


@pytest.mark.parametrize(
    ("idle_seconds", "max_idle_seconds", "opened"),
    [(1, 2, 1), (2, 2, 2), (-1, 2, 2), (0, 0, 2), (10**6, math.inf, 1)],
    ids=["recent", "too long", "before it was used", "a new one", "any"],
)
def test_a_connection_that_was_idle_for_too_long_is_not_used(
    server: HostileServer,
    monkeypatch: pytest.MonkeyPatch,
    idle_seconds: float,
    max_idle_seconds: float,
    opened: int,
) -> None:
    clock = SimpleNamespace(time=lambda: 1_000_000.0, monotonic=time.monotonic)
    monkeypatch.setattr(connections, "time", clock)
    connected = Connections(server.url)
    send(connected)
    clock.time = lambda: 1_000_000.0 + idle_seconds
    send(connected, max_idle_seconds=max_idle_seconds)
    assert (server.connections, len(server.requests)) == (opened, 2)
    assert len(connected._idle) == 1, "one that is not used any more must be closed"


@pytest.mark.parametrize(
    "request_",
    [
        Request("GET", "/a b", {}, b""),
        Request("GET", "/a\r\nX: y", {}, b""),
        Request("GET", "/", {"X": "a\nY: b"}, b""),
        Request("GET", "/\u00e9", {}, b""),
    ],
    ids=["blank", "line in the target", "line in a header", "not ASCII"],
)
def test_a_request_that_would_be_another_one_is_not_sent(server: HostileServer, request_: Request) -> None:
    with pytest.raises(NoResponse) as error_info:
        Connections(server.url).send(request_, Response.read, LIMITS)
    assert not error_info.value.was_sent
    assert server.connections == 0


def test_a_server_that_says_that_it_closes_is_connected_again(server: HostileServer) -> None:
    server.script = [build_response(b"body", "Connection: close")]
    connected = Connections(server.url)
    send(connected)
    send(connected)
    assert server.connections == 2


@pytest.mark.parametrize("url", ["http://user:password@host:1", "http://host:1"])
def test_the_header_host_has_no_password(url: str) -> None:
    assert Connections(url).host == "host:1"
