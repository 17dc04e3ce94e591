"""Connections to one server over HTTP/1.1, reused by the threads of a process."""

import os
import select
import ssl
import threading
import weakref
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit


class NoResponse(Exception):
    """A request has no complete response. If it ``was_sent``, the server may have processed it."""

    def __init__(self, cause: Exception, *, was_sent: bool) -> None:
        super().__init__(f"{type(cause).__name__}: {cause}")
        self.reason = type(cause).__name__
        self.was_sent = was_sent
        self.timed_out = isinstance(cause, TimeoutError)


@dataclass
class Connections:
    """The connections to a server, by its URL. The limits are seconds to connect, and between two pieces of a response.

    A connection is used by one request at a time. It is created if none is idle.
    """

    url: str
    connect_seconds: float
    read_seconds: float
    _idle: list[HTTPConnection] = field(default_factory=list, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        weakref.finalize(self, _close, self._idle)

    def post(self, headers: dict[str, str], body: bytes, *, on_new_connection: bool) -> tuple[int, bytes]:
        """Send a ``POST`` to the path ``/`` and return the status and the body of the response.

        The server may have closed an idle connection without this process knowing it yet; a request that must not be
        sent twice is sent ``on_new_connection``. Raises :class:`NoResponse`.
        """
        connection = None if on_new_connection else self._take_idle()
        connection = connection or self._connect()
        try:
            connection.request("POST", "/", body, headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, HTTPException) as error:
            connection.close()
            raise NoResponse(error, was_sent=True) from error
        # A connection that the server is about to close has no socket any more.
        if connection.sock is not None:
            with self._lock:
                self._idle.append(connection)
        return response.status, content

    def _take_idle(self) -> HTTPConnection | None:
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            # There is something to read only if the server closed it.
            if not select.select([connection.sock], [], [], 0)[0]:
                return connection
            connection.close()

    def _connect(self) -> HTTPConnection:
        address = urlsplit(self.url)
        host, port = address.hostname or "", address.port
        connection: HTTPConnection
        if address.scheme == "https":
            connection = HTTPSConnection(host, port, timeout=self.connect_seconds, context=tls_context())
        else:
            connection = HTTPConnection(host, port, timeout=self.connect_seconds)
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise NoResponse(error, was_sent=False) from error
        connection.sock.settimeout(self.read_seconds)
        return connection


def _close(connections: list[HTTPConnection]) -> None:
    for connection in connections:
        connection.close()


@cache
def tls_context() -> ssl.SSLContext:
    """Return the context for all connections of the process, with the certificates of ``AWS_CA_BUNDLE`` if it is set.

    Reading the certificates takes 10 ms of processor time.
    """
    return ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE"))
