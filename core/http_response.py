"""The response to an HTTP request, limited in time whatever the server does."""

import io
import socket
import time
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse, IncompleteRead
from typing import TYPE_CHECKING, Final, NamedTuple, cast

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_PIECE_BYTES: Final = 65_536


class InvalidResponse(HTTPException):
    """A response breaks the rules of HTTP."""


class Response(HTTPResponse):
    """A response on a connection, complete until ``deadline``, which is a value of ``time.monotonic()``.

    Raises ``HTTPException`` if it is invalid or incomplete, and ``OSError``, of which ``TimeoutError`` is one.
    """

    def __init__(self, connection: socket.socket, method: str, deadline: float) -> None:
        super().__init__(cast("socket.socket", _Source(connection, deadline)), method=method)

    def begin(self) -> None:
        """Read the head."""
        super().begin()
        if len(set(self.headers.get_all("Content-Length", []))) > 1:
            raise InvalidResponse("two lengths")

    def read_pieces(self) -> Iterator[bytes]:
        """Read the body as it was sent, in pieces of at most 64 KB."""
        while piece := self.read(_PIECE_BYTES):
            yield piece
        # For a body that ends too early, ``read`` returns only what there is.
        if self.length:
            raise IncompleteRead(b"", self.length)

    def _read_next_chunk_size(self) -> int:
        # The library would read all that the server sends for a size of -1.
        size: int = super()._read_next_chunk_size()  # type: ignore[misc] # typeshed lacks this method
        if size < 0:
            raise InvalidResponse("a chunk of negative size")
        return size


class _Source(NamedTuple):
    """What the library reads a response from, in place of the socket."""

    connection: socket.socket
    deadline: float

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_DeadlineReader(*self))


class _DeadlineReader(io.RawIOBase):
    """Reads from a socket until the deadline.

    A socket's own timeout starts again with each byte, so that a response that trickles would never end.
    """

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("timed out")
        self._connection.settimeout(remaining)
        return self._connection.recv_into(buffer)
