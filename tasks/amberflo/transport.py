"""One HTTP request whose response is limited in time and in size, whatever the server does."""

import time
import zlib
from collections.abc import Iterable, Iterator
from email.message import Message
from functools import cache
from typing import Final, NamedTuple
from urllib.parse import urlencode

from amberflo_workflows.core.connections import Connections, Limits, Request, tls_context
from amberflo_workflows.core.http_response import InvalidResponse, Response

# Twice what a workflow can carry, so that a response that is a little too large is read and rejected with its size.
MAX_RESPONSE_BYTES: Final = 12_000_000
_CONNECT_SECONDS: Final = 2.0
_PIECE_BYTES: Final = 65_536
_GZIP_WINDOW_BITS: Final = 31


class HttpResponse(NamedTuple):
    """A response. ``body`` is ``None`` if it is larger than ``MAX_RESPONSE_BYTES``."""

    status: int
    headers: Message
    body: bytes | None


def prepare(url: str) -> None:
    """Read the certificates, if the server at ``url`` needs them."""
    if url.startswith("https:"):
        tls_context()


def send_request(
    method: str, url: str, *, params: dict[str, str] | None, body: bytes | None, headers: dict[str, str], seconds: float
) -> HttpResponse:
    """Send one request, with at most ``seconds`` from the connection to the last byte.

    Raises :class:`~amberflo_workflows.core.connections.NoResponse`.
    """
    end = url.find("/", url.find("//") + 2)
    server = _connect_to(url[:end])
    request = Request(
        method,
        f"{url[end:]}?{urlencode(params)}" if params else url[end:],
        # Some firewalls reject requests without a User-Agent.
        {"Host": server.host, "User-Agent": "amberflo-workflows", "Accept-Encoding": "gzip", **headers},
        body or b"",
    )
    limits = Limits(min(_CONNECT_SECONDS, seconds / 3), seconds, time.monotonic() + seconds)
    response, content = server.send(request, _read_body, limits)
    return HttpResponse(response.status, response.headers, content)


def _read_body(response: Response) -> bytes | None:
    pieces: Iterable[bytes] = response.read_pieces()
    if response.headers.get("Content-Encoding", "").strip().lower() == "gzip":
        pieces = _decompress(pieces)
    body = bytearray()
    for piece in pieces:
        body += piece
        if len(body) > MAX_RESPONSE_BYTES:
            return None
    return bytes(body)


def _decompress(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress gzip in small pieces, so that a small compressed body cannot exceed the limit in memory."""
    decoder = zlib.decompressobj(_GZIP_WINDOW_BITS)
    for piece in pieces:
        compressed = piece
        while compressed:
            if decoder.eof:
                # A file may have several members.
                decoder = zlib.decompressobj(_GZIP_WINDOW_BITS)
            try:
                yield decoder.decompress(compressed, _PIECE_BYTES)
            except zlib.error:
                raise InvalidResponse("not gzip") from None
            compressed = decoder.unused_data if decoder.eof else decoder.unconsumed_tail


@cache
def _connect_to(origin: str) -> Connections:
    return Connections(origin)
