"""One HTTP request whose response is limited in time and in size, whatever the server does."""

import contextlib
import io
import socket
import time
from collections.abc import Mapping
from functools import cache
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode

from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from amberflo_workflows.core.connections import tls_context

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# Twice what a workflow can carry, so that a response that is a little too large is read and rejected with its size.
MAX_RESPONSE_BYTES: Final = 12_000_000
# The library raises the second one for a chunk of negative size.
TRANSPORT_ERRORS: Final = (HTTPError, ValueError)
_CONNECT_SECONDS: Final = 2.0
_PIECE_BYTES: Final = 65_536


class HttpResponse(NamedTuple):
    """A response. ``body`` is ``None`` if it is larger than ``MAX_RESPONSE_BYTES``."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None


def send_request(
    method: str, url: str, *, params: dict[str, str] | None, body: bytes | None, headers: dict[str, str], seconds: float
) -> HttpResponse:
    """Send one request, with at most ``seconds`` from the connection to the last byte.

    No redirect is followed, since the key must not go elsewhere. Raises one of ``TRANSPORT_ERRORS``.
    """
    # Connecting, the TLS handshake and sending have this long each; their duration is subtracted from the time for the
    # response.
    timeout = Timeout(total=seconds, connect=min(_CONNECT_SECONDS, seconds / 3))
    response = connection_pools(url.partition(":")[0]).request(
        method,
        f"{url}?{urlencode(params)}" if params else url,
        body=body,
        headers={"Accept-Encoding": "gzip", **headers},
        timeout=timeout,
        retries=False,
        redirect=False,
        preload_content=False,
    )
    with contextlib.closing(response):
        return HttpResponse(response.status, response.headers, _read_body(response))


def _read_body(response: BaseHTTPResponse) -> bytes | None:
    body = bytearray()
    # Decompressed in pieces, so that a small compressed body cannot exceed the limit in memory.
    for piece in response.stream(_PIECE_BYTES, decode_content=True):
        body += piece
        if len(body) > MAX_RESPONSE_BYTES:
            return None
    return bytes(body)


class _DeadlineReader(io.RawIOBase):
    """Reads from a socket, all of it within the socket's timeout.

    A socket's own timeout starts again with each byte, so that a response that trickles would never end.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._file = connection.makefile("rb", buffering=0)
        self._deadline = time.monotonic() + (connection.gettimeout() or 0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int | None:
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("timed out")
        self._connection.settimeout(remaining)
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_DeadlineReader(sock))


class _Connection(HTTPConnection):
    response_class = _Response


class _SecureConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


@cache
def connection_pools(scheme: str) -> PoolManager:
    """Return the connections of this process over ``http`` or ``https``.

    urllib3 uses no proxy and no .netrc of the environment, which could see or replace the key, and keeps no cookies.
    """
    pools = PoolManager(ssl_context=tls_context()) if scheme == "https" else PoolManager()
    pools.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
    return pools
