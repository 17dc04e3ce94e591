"""A Secrets Manager that fails as told, in front of the emulator's, which cannot be made to throttle, refuse or hang.

It is a real server behind boto3's real client, so that the client's own tries and time-outs take part.
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
class Failing:
    """How it fails: by ``status`` and ``code``, or after ``seconds`` by no answer at all; so many ``times``.

    ``versioned`` are the reads of a step, which name a version; the others are ``ResolveApiKey``'s.
    """

    status: int = 400
    code: str = "AccessDeniedException"
    seconds: float | None = None
    times: int | None = None
    versioned: bool | None = None


@dataclass
class SecretsManager:
    """``calls`` are the reads that came; ``afterwards`` is done after the next answer to one that names no version."""

    url: str
    behind: str
    failing: Failing | None = None
    calls: int = 0
    afterwards: Callable[[], None] | None = None
    _ended: threading.Event = field(default_factory=threading.Event)

    def fault_of(self, wanted: dict[str, Any]) -> Failing | None:
        """What strikes a read."""
        failing = self.failing
        if failing is None or failing.versioned not in {None, "VersionId" in wanted} or failing.times == 0:
            return None
        failing.times = None if failing.times is None else failing.times - 1
        return failing

    def hang(self, seconds: float) -> None:
        self._ended.wait(seconds)

    def end(self) -> None:
        self._ended.set()


def _handler(fake: SecretsManager) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            fake.calls += 1
            wanted = json.loads(body)
            failing = fake.fault_of(wanted)
            if failing is None:
                self._hand_on(body, versioned="VersionId" in wanted)
            elif failing.seconds is None:
                self._answer(failing.status, json.dumps({"__type": failing.code, "message": "no"}).encode())
            else:
                fake.hang(failing.seconds)

        def _hand_on(self, body: bytes, *, versioned: bool) -> None:
            kept = {name: self.headers[name] for name in ("Authorization", "Content-Type", "X-Amz-Target")}
            answer = requests.post(fake.behind, data=body, headers=kept, timeout=10)
            if fake.afterwards and not versioned:
                after, fake.afterwards = fake.afterwards, None
                after()
            self._answer(answer.status_code, answer.content)

        def _answer(self, status: int, body: bytes) -> None:
            # The client hangs up when it has had enough.
            with contextlib.suppress(OSError):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            return

    return Handler


@contextlib.contextmanager
def failing_secrets_manager(behind: str) -> Iterator[SecretsManager]:
    """Serve on a free port for the length of the ``with`` block; what does not fail is answered by ``behind``."""
    fake = SecretsManager("", behind)
    with ThreadingHTTPServer((LOOPBACK, 0), _handler(fake)) as server:
        fake.url = f"http://{LOOPBACK}:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield fake
        finally:
            fake.end()
            server.shutdown()
            thread.join()
