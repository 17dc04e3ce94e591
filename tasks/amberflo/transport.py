"""One HTTP request whose response is limited in time and in size, whatever the server does."""

import contextlib
import io
import socket
import time
from collections.abc import Mapping
from functools import cache
from http.client import HTTPResponse
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# Twice what a workflow can carry, so that a response that is a little too large is read and rejected with its size.
MAX_RESPONSE_BYTES: Final = 12_000_000
# The libraries raise the last one for a chunk of negative size.
TRANSPORT_ERRORS: Final = (requests.RequestException, HTTPError, ValueError)
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

    Raises one of ``TRANSPORT_ERRORS``.
    """
    # Connecting, the TLS handshake and sending have this long each; their duration is subtracted from the time for the
    # response.
    timeout = Timeout(total=seconds, connect=min(_CONNECT_SECONDS, seconds / 3))
    response = _session().request(
        method,
        url,
        params=params,
        data=body,
        headers=headers,
        timeout=timeout,  # type: ignore[arg-type] # requests passes it on unchanged
        stream=True,
    )
    with contextlib.closing(response):
        return HttpResponse(response.status_code, response.headers, _read_body(response))


def _read_body(response: requests.Response) -> bytes | None:
    body = bytearray()
    # Decompressed in pieces, so that a small compressed body cannot exceed the limit in memory.
    for piece in response.raw.stream(_PIECE_BYTES, decode_content=True):
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


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return none: the key must not go elsewhere. The default would also read the complete body of a redirect."""


@cache
def _session() -> requests.Session:
    session = _Session()
    session.mount("https://", _Adapter(max_retries=0))
    session.mount("http://", _Adapter(max_retries=0))
    # No proxy or .netrc of the environment may see or replace the key.
    session.trust_env = False
    # No cookie of a response is sent with the next request.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session
