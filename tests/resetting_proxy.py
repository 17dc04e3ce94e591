"""A proxy before the emulator that resets connections, as AWS does with those of a Lambda that was paused."""

import contextlib
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler

import requests

from tests.http_server import serving

# Closing such a socket sends a reset.
_NO_LINGER = struct.pack("ii", 1, 0)


@dataclass
class ResettingProxy:
    """Resets a connection at its second request.

    It also resets ``lost_responses`` connections instead of the response, and closes ``short_bodies`` in the middle of
    a response's body.
    """

    upstream: str
    url: str = ""
    lost_responses: int = 0
    short_bodies: int = 0
    requests: int = 0
    resets: int = 0


@contextlib.contextmanager
def resetting_proxy(upstream: str) -> Iterator[ResettingProxy]:
    """Run the proxy before the endpoint ``upstream`` until the end of the ``with`` block."""
    proxy = ResettingProxy(upstream)
    with serving(_build_handler(proxy)) as proxy.url:
        yield proxy


def _build_handler(proxy: ResettingProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        is_reused = False

        def _forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            if self.is_reused:
                self._reset()
                return
            self.is_reused = True
            proxy.requests += 1
            response = requests.request(
                self.command, proxy.upstream + self.path, data=body, headers=dict(self.headers), timeout=60
            )
            if proxy.lost_responses:
                proxy.lost_responses -= 1
                self._reset()
                return
            self.send_response(response.status_code)
            for name, value in response.headers.items():
                if name.lower() not in {"connection", "content-length", "content-encoding", "transfer-encoding"}:
                    self.send_header(name, value)
            is_head = self.command == "HEAD"
            length = response.headers.get("Content-Length", "0") if is_head else str(len(response.content))
            self.send_header("Content-Length", length)
            self.end_headers()
            if proxy.short_bodies and self.command == "GET" and response.ok:
                proxy.short_bodies -= 1
                # Not reset, which could discard what the client has not read yet.
                self.wfile.write(response.content[: len(response.content) // 2])
                self.close_connection = True
            else:
                self.wfile.write(response.content)

        do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _forward  # noqa: N815 - http.server calls these names

        def _reset(self) -> None:
            proxy.resets += 1
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            self.connection.close()

        def log_message(self, *_: object) -> None:
            pass

    return Handler
