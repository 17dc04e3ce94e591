"""A server that sends any bytes as its response, at any speed, to test the client with invalid HTTP.

The sandbox uses an HTTP library and cannot break the rules of HTTP.
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

# Bytes to send; a number is the seconds to wait before the next ones.
Script = Iterable[bytes | float]
# Ten megabytes of zeros in ten kilobytes; a gzip file may have several members.
ZEROS = gzip.compress(bytes(10_000_000), mtime=0)


def build_response(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


def spread(data: bytes, *, seconds: float) -> list[bytes | float]:
    """Return a script that sends the data byte by byte within ``seconds``."""
    script: list[bytes | float] = []
    for start in range(len(data)):
        script += [data[start : start + 1], seconds / len(data)]
    return script


@dataclass
class HostileServer:
    """The script for each request, and what the server received; ``connections`` counts the opened ones."""

    url: str
    script: Script = ()
    keeps_open: bool = False
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0


class _Connection(socketserver.StreamRequestHandler):
    server: "_Server"

    def handle(self) -> None:
        state = self.server.state
        state.connections += 1
        # The client closes the connection when it gives up.
        with contextlib.suppress(OSError):
            while request := self._read_request():
                state.requests.append(request)
                for part in state.script:
                    if isinstance(part, bytes):
                        self.wfile.write(part)
                    elif self.server.ended.wait(part):
                        return
                if not state.keeps_open:
                    return

    def _read_request(self) -> bytes:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline()
            if not line:
                return b""
            head += line
        _, header, length = head.lower().partition(b"content-length:")
        return head + self.rfile.read(int(length.split()[0])) if header else head


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        super().__init__((LOOPBACK, 0), _Connection)
        self.tls = tls
        self.ended = threading.Event()
        self.state = HostileServer(f"{'https' if tls else 'http'}://{LOOPBACK}:{self.server_address[1]}")

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        if self.tls:
            # The connection's own thread does the handshake.
            connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address


@contextlib.contextmanager
def run_hostile_server(tls: ssl.SSLContext | None = None) -> Iterator[HostileServer]:
    """Serve on a free port for the duration of the ``with`` block."""
    with _Server(tls) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.state
        finally:
            server.ended.set()
            server.shutdown()
            thread.join()
