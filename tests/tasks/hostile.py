"""A server below HTTP: it takes requests and sends what it is told, byte by byte if need be.

The sandbox speaks HTTP as a library does and cannot be brought to break its rules; this one knows none.
"""

import contextlib
import gzip
import socketserver
import ssl
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from amberflo_workflows.operate.loopback import LOOPBACK

# What is sent, and numbers: seconds to wait before the next.
Script = Iterable[bytes | float]
# Ten megabytes of nothing in ten kilobytes; a gzip file may have many of them.
NOTHING = gzip.compress(bytes(10_000_000), mtime=0)


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """A whole answer."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


def slowly(sent: bytes, *, seconds: float) -> list[bytes | float]:
    """Some bytes, spread over some seconds."""
    pieces: list[bytes | float] = []
    for start in range(len(sent)):
        pieces += [sent[start : start + 1], seconds / len(sent)]
    return pieces


@dataclass
class Hostile:
    """What it sends to each request, and what it was sent; ``connections`` counts those that were opened."""

    url: str
    script: Script = ()
    keeps_open: bool = False
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0


class _Connection(socketserver.StreamRequestHandler):
    server: "_Server"

    def handle(self) -> None:
        served = self.server.served
        served.connections += 1
        # The client hangs up when it has had enough.
        with contextlib.suppress(OSError):
            while request := self._request():
                served.requests.append(request)
                for part in served.script:
                    if isinstance(part, bytes):
                        self.wfile.write(part)
                    elif self.server.ended.wait(part):
                        return
                if not served.keeps_open:
                    return

    def _request(self) -> bytes:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline()
            if not line:
                return b""
            head += line
        _, said, length = head.lower().partition(b"content-length:")
        return head + self.rfile.read(int(length.split()[0])) if said else head


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        super().__init__((LOOPBACK, 0), _Connection)
        self.tls = tls
        self.ended = threading.Event()
        self.served = Hostile(f"{'https' if tls else 'http'}://{LOOPBACK}:{self.server_address[1]}")

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        if self.tls:
            # The handshake is left to the connection's own thread.
            connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address


@contextlib.contextmanager
def hostile(tls: ssl.SSLContext | None = None) -> Iterator[Hostile]:
    """Serve on a free port for the length of the ``with`` block."""
    with _Server(tls) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.served
        finally:
            server.ended.set()
            server.shutdown()
            thread.join()
