"""A proxy in front of the emulator's Secrets Manager that fails on request.

The emulator cannot be made to throttle, deny or hang. The proxy is a real server behind the real boto3 client, so the
client's own retries and timeouts take part.
"""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

from amberflo_workflows.operate.loopback import LOOPBACK


@dataclass
class SecretFault:
    """How a read fails: with ``status`` and ``code``, or without a response after ``seconds``.

    ``times`` is the number of reads that fail, by default all. ``versioned`` limits the fault to reads that name a
    version (those of a step) or to reads that do not (those of ``ResolveApiKey``).
    """

    status: int = 400
    code: str = "AccessDeniedException"
    seconds: float | None = None
    times: int | None = None
    versioned: bool | None = None


@dataclass
class SecretsManager:
    """The proxy at ``url`` in front of ``target``.

    ``calls`` counts the reads. ``after_next_read`` runs once, after the next read that succeeds and names no version.
    """

    url: str
    target: str
    fault: SecretFault | None = None
    calls: int = 0
    after_next_read: Callable[[], None] | None = None
    _stopped: threading.Event = field(default_factory=threading.Event)

    def next_fault(self, *, versioned: bool) -> SecretFault | None:
        """The fault that applies to a read; counts down its ``times``."""
        fault = self.fault
        if fault is None or fault.versioned not in {None, versioned} or fault.times == 0:
            return None
        fault.times = None if fault.times is None else fault.times - 1
        return fault

    def hang(self, seconds: float) -> None:
        """Wait, but no longer than the server runs."""
        self._stopped.wait(seconds)

    def stop(self) -> None:
        self._stopped.set()


def _build_handler(proxy: SecretsManager) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            proxy.calls += 1
            versioned = "VersionId" in json.loads(body)
            fault = proxy.next_fault(versioned=versioned)
            if fault is None:
                self._forward(body, versioned=versioned)
            elif fault.seconds is None:
                self._respond(fault.status, json.dumps({"__type": fault.code, "message": "no"}).encode())
            else:
                proxy.hang(fault.seconds)

        def _forward(self, body: bytes, *, versioned: bool) -> None:
            headers = {name: self.headers[name] for name in ("Authorization", "Content-Type", "X-Amz-Target")}
            response = requests.post(proxy.target, data=body, headers=headers, timeout=10)
            if proxy.after_next_read and not versioned:
                after_read, proxy.after_next_read = proxy.after_next_read, None
                after_read()
            self._respond(response.status_code, response.content)

        def _respond(self, status: int, body: bytes) -> None:
            # The client closes the connection when its timeout expires.
            with contextlib.suppress(OSError):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            return

    return Handler


@contextlib.contextmanager
def run_faulty_secrets_manager(target: str) -> Iterator[SecretsManager]:
    """Serve on a free port while the ``with`` block runs; reads without a fault go to ``target``."""
    proxy = SecretsManager("", target)
    with ThreadingHTTPServer((LOOPBACK, 0), _build_handler(proxy)) as server:
        proxy.url = f"http://{LOOPBACK}:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield proxy
        finally:
            proxy.stop()
            server.shutdown()
            thread.join()
