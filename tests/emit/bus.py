"""A bus that fails as a test configures it."""

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
# A linger so long that no usage is sent because of it.
NEVER = 3600.0
# Repeated here, so that a wrong constant in the code fails a test: 64 kB are billed as one unit, of which EventBridge
# uses up to 1,000 bytes for its envelope, and one byte is the comma that is counted after the last usage.
FULL_ENTRY = 64_000 - 1_000 - 1
# The sum of the entries of a call must be less.
CALL_BYTES = 256 * 1024


@dataclass(frozen=True)
class BusResponse:
    """The response of the bus to one call."""

    status: int = 200
    code: str = ""
    failed_entries: dict[int, str] = field(default_factory=dict)
    drops: bool = False
    accepts: bool = True


ACCEPTED = BusResponse()
THROTTLED = BusResponse(400, "ThrottlingException", accepts=False)
INVALID_BODIES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "no results": {"FailedEntryCount": 0, "Entries": []},
    "no ids": {"FailedEntryCount": 0, "Entries": [{}, {}]},
}
DENIED = BusResponse(400, "AccessDeniedException", accepts=False)


class Bus:
    """A server with ``PutEvents`` that fails as configured.

    Neither the emulator nor an AWS account can be made to reject one entry of a call, to throttle, or to accept events
    and lose the response. A patched function could, but would skip the code that these failures run through: boto3's
    parsing of responses, its errors, its connections. So this is a real server with a real client.
    """

    def __init__(self) -> None:
        self.script: deque[BusResponse] = deque()
        self.default_response = ACCEPTED
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
        self.client = self._build_client()

    def _build_client(self) -> Any:
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

    def respond(self, entries: list[dict[str, str]], port: int) -> BusResponse:
        with self.changed:
            self.calls.append(entries)
            self.changed.notify_all()
        self.open.wait()
        with self.changed:
            response = self.script.popleft() if self.script else self.default_response
            for number, entry in enumerate(entries):
                usages = json.loads(entry["Detail"])["records"]
                self.callers.setdefault(usages[0]["tenantId"], set()).add(port)
                if response.accepts and number not in response.failed_entries:
                    self.arrived += usages
            self.changed.notify_all()
            return response

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        bus = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                assert self.headers["X-Amz-Target"] == "AWSEvents.PutEvents"
                entries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["Entries"]
                response = bus.respond(entries, self.client_address[1])
                if response.drops:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                body = json.dumps(_build_body(response, len(entries))).encode()
                self.send_response(response.status)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


@cache
def _session() -> boto3.Session:
    """Return one session for all clients, because it caches the service's description."""
    return boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)


def _build_body(response: BusResponse, count: int) -> dict[str, Any]:
    if response.code in INVALID_BODIES:
        return INVALID_BODIES[response.code]
    if response.code:
        return {"__type": response.code, "message": "configured by the test"}
    failed = response.failed_entries
    results = [
        {"ErrorCode": failed[number], "ErrorMessage": "configured by the test"}
        if number in failed
        else {"EventId": str(uuid.uuid4())}
        for number in range(count)
    ]
    return {"FailedEntryCount": len(failed), "Entries": results}


def record_entries(emitter: UsageEmitter, count: int) -> list[str]:
    """Record usages of which no two fit into one entry; return their ids."""
    filling = {"filling": "x" * 40_000}
    return [emitter.record("acme", "api-calls", number, dimensions=filling) for number in range(count)]


def count_bytes(entry: dict[str, str]) -> int:
    """Count the bytes of an entry as AWS documents it."""
    assert entry.keys() == {"EventBusName", "Source", "DetailType", "Detail"}
    return sum(len(entry[name].encode()) for name in ("Source", "DetailType", "Detail"))
