"""Connections to one server over HTTP/1.1, reused by the threads of a process.

Requests are sent without ``http.client.HTTPConnection``, which sends the head and the body in two packets, and takes
longer for the head than for all else. It would use no proxy and no cookies either, and follow no redirect.
"""

import math
import os
import select
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPException
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

from amberflo_workflows.core.http_response import Response

Content = TypeVar("Content")


class NoResponse(Exception):
    """A request has no complete response. If it ``was_sent``, the server may have processed it."""

    def __init__(self, cause: Exception, *, was_sent: bool) -> None:
        super().__init__(f"{type(cause).__name__}: {cause}")
        self.reason = type(cause).__name__
        self.was_sent = was_sent
        self.timed_out = isinstance(cause, TimeoutError)


class Request(NamedTuple):
    """A request. ``headers`` are all but ``Content-Length``; ``target`` is the path with the query."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    def encode(self) -> bytes:
        """Return its bytes. Raises ``ValueError`` if its head would not have one line for each header."""
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in self.headers.items())]
        if " " in self.target or not all(map(str.isprintable, lines)):
            raise ValueError("the target or a header has a character that is not allowed")
        return "\r\n".join((*lines, f"Content-Length: {len(self.body)}", "", "")).encode("ascii") + self.body


class Limits(NamedTuple):
    """Seconds to connect and for the response, which is complete before ``deadline`` (``time.monotonic()``)."""

    connect_seconds: float
    response_seconds: float
    deadline: float = math.inf


class _Idle(NamedTuple):
    connection: socket.socket
    since: float


@dataclass
class Connections:
    """The connections to the server at a URL, which has no path.

    A connection is used by one request at a time. It is created if none is idle.
    """

    url: str
    _idle: list[_Idle] = field(default_factory=list, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        weakref.finalize(self, _close, self._idle)

    @property
    def host(self) -> str:
        """The header ``Host``."""
        return self.url.rpartition("//")[2].rpartition("@")[2]

    def send(
        self,
        request: Request,
        read: Callable[[Response], Content],
        limits: Limits,
        *,
        max_idle_seconds: float = math.inf,
    ) -> tuple[Response, Content]:
        """Send a request and return the response and its body, as ``read`` returns it.

        The server may have closed an idle connection without this process knowing it yet, so ``max_idle_seconds``
        limits how long the connection may have been idle; with 0 it is a new one. Raises :class:`NoResponse`.
        """
        data = _encode(request)
        connection = self._take_idle(max_idle_seconds) or self._connect(limits.connect_seconds)
        deadline = min(limits.deadline, time.monotonic() + limits.response_seconds)
        response = Response(connection, request.method, deadline)
        is_reusable = False
        try:
            connection.settimeout(max(deadline - time.monotonic(), 0.01))
            connection.sendall(data)
            response.begin()
            content = read(response)
            is_reusable = response.isclosed() and not response.will_close
        except (OSError, HTTPException, ValueError) as error:
            raise NoResponse(error, was_sent=True) from error
        finally:
            if is_reusable:
                with self._lock:
                    self._idle.append(_Idle(connection, time.time()))
            else:
                response.close()
                connection.close()
        return response, content

    def _take_idle(self, max_seconds: float) -> socket.socket | None:
        while True:
            with self._lock:
                if not self._idle:
                    return None
                idle = self._idle.pop()
            # There is something to read only if the server closed it.
            if _is_recent(idle, max_seconds) and not select.select([idle.connection], [], [], 0)[0]:
                return idle.connection
            idle.connection.close()

    def _connect(self, seconds: float) -> socket.socket:
        try:
            address = urlsplit(self.url)
            is_secure, host = address.scheme == "https", address.hostname or ""
            connection = socket.create_connection((host, address.port or (443 if is_secure else 80)), seconds)
            try:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return tls_context().wrap_socket(connection, server_hostname=host) if is_secure else connection
            except BaseException:
                connection.close()
                raise
        except (OSError, ValueError) as error:
            raise NoResponse(error, was_sent=False) from error


def _encode(request: Request) -> bytes:
    try:
        return request.encode()
    except ValueError as error:
        raise NoResponse(error, was_sent=False) from error


def _is_recent(idle: _Idle, max_seconds: float) -> bool:
    # The time of day, since a monotonic clock may stand still while a Lambda is paused.
    return max_seconds == math.inf or 0 <= time.time() - idle.since < max_seconds


def _close(idle: list[_Idle]) -> None:
    for connection, _ in idle:
        connection.close()


@cache
def tls_context() -> ssl.SSLContext:
    """Return the context for all connections of the process, with the certificates of ``AWS_CA_BUNDLE`` if it is set.

    Otherwise those of ``SSL_CERT_FILE`` or of the system apply. Reading them takes 10 ms of processor time.
    """
    return ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE") or None)
