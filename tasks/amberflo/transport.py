"""One HTTP request with an answer that is bounded in time and in size, whatever the other side does."""

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

# Twice what a workflow can carry: what is a little too much for it is still read, and refused by its size.
MAX_RESPONSE_BYTES: Final = 12_000_000
# The last is what a chunk of less than nothing is to the libraries.
TRANSPORT_ERRORS: Final = (requests.RequestException, HTTPError, ValueError)
_CONNECT_SECONDS: Final = 2.0
_PIECE_BYTES: Final = 65_536


class HttpResponse(NamedTuple):
    """What came back. ``body`` is ``None`` if it is larger than ``MAX_RESPONSE_BYTES``."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None


def send_request(
    method: str, url: str, *, params: dict[str, str] | None, body: bytes | None, headers: dict[str, str], seconds: float
) -> HttpResponse:
    """Send one request, for at most so many seconds from the connection to the last byte.

    Raises one of ``TRANSPORT_ERRORS``.
    """
    # Connecting, the handshake and sending each have this long; what they took is taken off the time for the answer.
    timeout = Timeout(total=seconds, connect=min(_CONNECT_SECONDS, seconds / 3))
    response = _session().request(
        method,
        url,
        params=params,
        data=body,
        headers=headers,
        timeout=timeout,  # type: ignore[arg-type] # requests hands it on as it is
        stream=True,
    )
    with contextlib.closing(response):
        return HttpResponse(response.status_code, response.headers, _body_of(response))


def _body_of(response: requests.Response) -> bytes | None:
    body = bytearray()
    # Inflated piece by piece, so that a few bytes cannot become more than the limit.
    for piece in response.raw.stream(_PIECE_BYTES, decode_content=True):
        body += piece
        if len(body) > MAX_RESPONSE_BYTES:
            return None
    return bytes(body)


class _InTime(io.RawIOBase):
    """What a socket receives, all of it within the socket's time-out.

    A socket's own time-out begins anew with each byte, and an answer that trickles would never end.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = connection.makefile("rb", buffering=0)
        self._deadline = time.monotonic() + (connection.gettimeout() or 0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._connection.settimeout(left)
        return self._received.readinto(buffer)

    def close(self) -> None:
        self._received.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, **named: Any) -> None:
        super().__init__(sock, *arguments, **named)
        self.fp.close()
        self.fp = io.BufferedReader(_InTime(sock))


class _Connection(HTTPConnection):
    response_class = _Response


class _SecureConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        super().init_poolmanager(*arguments, **named)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """No redirect is followed, since the key must not travel, nor looked at: that would read all of its body."""


@cache
def _session() -> requests.Session:
    session = _Session()
    session.mount("https://", _Adapter(max_retries=0))
    session.mount("http://", _Adapter(max_retries=0))
    # Neither a proxy nor a .netrc of the environment may see or replace the key.
    session.trust_env = False
    # Nothing of one answer is kept for the next call.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session
