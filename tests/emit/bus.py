"""A bus that fails as told."""

import json
import socket
import threading
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from amberflo_workflows.emit import UsageEmitter
from amberflo_workflows.local.emulator import REGION
from amberflo_workflows.operate.loopback import LOOPBACK

DOCUMENT = Path(__file__).parents[2] / "docs" / "emit.md"
# So long that nothing is sent for having waited.
NEVER = 3600.0
# Said once more, lest a slip of the code's constants go unseen: 64 kB are billed as one, 1,000 bytes of them are for
# what EventBridge puts around an entry, and one for a comma behind the last usage, which is counted and not there.
FULL_ENTRY = 64_000 - 1_000 - 1
# The sum must be less.
CALL_BYTES = 256 * 1024


@dataclass(frozen=True)
class Answer:
    """How the bus answers one call."""

    status: int = 200
    code: str = ""
    failed_entries: dict[int, str] = field(default_factory=dict)
    drops: bool = False
    takes: bool = True


TAKEN = Answer()
THROTTLED = Answer(400, "ThrottlingException", takes=False)
NONSENSE: dict[str, dict[str, Any]] = {
    "nothing": {},
    "no results": {"FailedEntryCount": 0, "Entries": []},
    "no ids": {"FailedEntryCount": 0, "Entries": [{}, {}]},
}
DENIED = Answer(400, "AccessDeniedException", takes=False)


class Bus:
    """A server that speaks ``PutEvents`` and fails as told.

    Neither the emulator nor an account can be made to refuse one entry of a call, to throttle, or to take events and
    lose the answer. A patched function could, but would leave out what those failures pass through: boto3's reading of
    answers, its errors, its connections. So it is a real server behind a real client.
    """

    def __init__(self) -> None:
        self.script: deque[Answer] = deque()
        self.otherwise = TAKEN
        self.calls: list[list[dict[str, str]]] = []
        self.arrived: list[dict[str, Any]] = []
        self.callers: dict[str, set[int]] = {}
        self.open = threading.Event()
        self.open.set()
        self.changed = threading.Condition()
        self._server = ThreadingHTTPServer((LOOPBACK, 0), self._handler())
        self.url = f"http://{LOOPBACK}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.client = self._new_client()

    def _new_client(self) -> Any:
        config = Config(retries={"total_max_attempts": 1}, proxies={}, connect_timeout=5, read_timeout=30)
        return _session().client("events", endpoint_url=self.url, config=config)

    def end(self) -> None:
        self.open.set()
        self.client.close()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wait_for(self, condition: Callable[[], bool]) -> bool:
        with self.changed:
            return self.changed.wait_for(condition, 20)

    @property
    def values(self) -> list[float]:
        return [usage["meterValue"] for usage in self.arrived]

    def answer(self, entries: list[dict[str, str]], port: int) -> Answer:
        with self.changed:
            self.calls.append(entries)
            self.changed.notify_all()
        self.open.wait()
        with self.changed:
            answer = self.script.popleft() if self.script else self.otherwise
            for number, entry in enumerate(entries):
                usages = json.loads(entry["Detail"])["records"]
                self.callers.setdefault(usages[0]["tenantId"], set()).add(port)
                if answer.takes and number not in answer.failed_entries:
                    self.arrived += usages
            self.changed.notify_all()
            return answer

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        bus = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                assert self.headers["X-Amz-Target"] == "AWSEvents.PutEvents"
                entries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["Entries"]
                answer = bus.answer(entries, self.client_address[1])
                if answer.drops:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                body = json.dumps(_body(answer, len(entries))).encode()
                self.send_response(answer.status)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


@cache
def _session() -> boto3.Session:
    """One for all: it keeps what it has read of the service's description."""
    return boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)


def _body(answer: Answer, count: int) -> dict[str, Any]:
    if answer.code in NONSENSE:
        return NONSENSE[answer.code]
    if answer.code:
        return {"__type": answer.code, "message": "as the test has it"}
    failed = answer.failed_entries
    results = [
        {"ErrorCode": failed[number], "ErrorMessage": "as the test has it"}
        if number in failed
        else {"EventId": str(uuid.uuid4())}
        for number in range(count)
    ]
    return {"FailedEntryCount": len(failed), "Entries": results}


def record_entries(emitter: UsageEmitter, count: int) -> list[str]:
    """Record usages of which no two fit into one entry; their ids."""
    filling = {"filling": "x" * 40_000}
    return [emitter.record("acme", "api-calls", number, dimensions=filling) for number in range(count)]


def bytes_of(entry: dict[str, str]) -> int:
    """As the AWS documentation counts an entry."""
    assert entry.keys() == {"EventBusName", "Source", "DetailType", "Detail"}
    return sum(len(entry[name].encode()) for name in ("Source", "DetailType", "Detail"))
