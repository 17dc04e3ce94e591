"""Requests without sockets: those to AWS go to MiniStack's modules, those to Amberflo to the sandbox's application.

Receipts are stored here, since MiniStack's Firehose would write them to files.
"""

import asyncio
import base64
import io
import json
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any, cast
from urllib.parse import unquote, urlencode

import msgspec
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from ministack.services import dynamodb, secretsmanager, sqs, stepfunctions

from amberflo_workflows.core.connections import NoResponse
from amberflo_workflows.core.ledger.receipt import decode_receipts
from amberflo_workflows.sandbox.app import Sandbox
from amberflo_workflows.sandbox.faults import FaultMiddleware
from amberflo_workflows.tasks.amberflo.transport import HttpResponse
from tests.histories.faults import Kind, Strikes, WorkerKilled

AMBERFLO_URL = "http://amberflo.test"
_SERVICES = {
    "AmazonSQS": sqs,
    "DynamoDB_20120810": dynamodb,
    "secretsmanager": secretsmanager,
    "AWSStepFunctions": stepfunctions,
}

_HEADERS: Any = HeadersDict({"Content-Type": "application/x-amz-json-1.0"})


class _Body(io.BytesIO):
    """The body of a response of AWS, as botocore reads it."""

    def stream(self) -> Iterator[bytes]:
        yield self.read()


class _Connection:
    """One request to the sandbox: what ASGI receives and sends. It is its own transport, which a fault may abort."""

    def __init__(self, body: bytes) -> None:
        self.transport = self
        self.messages: list[Any] = []
        self.is_aborted = False
        self._body = body

    async def receive(self) -> dict[str, Any]:
        return {"type": "http.request", "body": self._body, "more_body": False}

    async def send(self, message: Any) -> None:
        self.messages.append(message)

    def abort(self) -> None:
        self.is_aborted = True


@dataclass
class Network:
    """Delivers each request, unless a fault strikes; ``calls`` counts them."""

    app: FaultMiddleware
    loop: asyncio.AbstractEventLoop
    strikes: Strikes = field(default_factory=Strikes)
    calls: int = 0
    calls_of_amberflo: int = 0
    # Of the latest execution.
    tasks: int = 0
    # The receipts in the ledger, and the names of the usages that they have as counted.
    receipts: list[bytes] = field(default_factory=list)
    receipted: set[str] = field(default_factory=set)

    def send_from_boto3(self, request: AWSPreparedRequest) -> AWSResponse:
        """Replace the session's method with which botocore sends every request."""
        headers = {name: _to_text(value) for name, value in request.headers.items()}
        status, content = self.send_to_aws(headers, cast("bytes", request.body))
        return AWSResponse(request.url, status, _HEADERS, _Body(content))

    def send_to_aws(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Return the status and the body of the response to a ``POST``."""
        self.calls += 1
        headers = {name.lower(): value for name, value in headers.items()}
        service, _, action = headers["x-amz-target"].partition(".")
        text: str | bytes
        if error := self._fail_before(action):
            status, text = 400, json.dumps({"__type": error, "message": "a fault of the test"})
        elif action == "PutRecord":
            receipt = base64.b64decode(json.loads(body)["Record"]["Data"])
            self.receipts.append(receipt)
            self.receipted.update(_list_counted(receipt))
            status, text = 200, '{"RecordId": "record"}'
        elif action == "StartSyncExecution":
            self.tasks = 0
            status, _, text = stepfunctions._finalize_response(stepfunctions._start_sync_execution(json.loads(body)))
            if self.strikes.strikes(Kind.STARTER_KILLED_AFTER_END):
                raise WorkerKilled
        else:
            status, _, text = self._run(_SERVICES[service].handle_request("POST", "/", headers, body, {}))
        return status, text.encode() if isinstance(text, str) else text

    def send_to_sandbox(
        self,
        method: str,
        url: str,
        *,
        params: dict[str, str] | None,
        body: bytes | None,
        headers: dict[str, str],
        **_: float,
    ) -> HttpResponse:
        """Call the application; raise ``NoResponse`` if a fault drops the connection."""
        self.calls += 1
        self.calls_of_amberflo += 1
        path = url.removeprefix(AMBERFLO_URL)
        is_ingest = path == "/ingest"
        if is_ingest and self.strikes.strikes(Kind.STEP_KILLED_BEFORE_SENDING):
            raise WorkerKilled
        connection = _Connection(body or b"")
        self._run(self.app(_build_scope(method, path, params, headers), connection.receive, connection.send))
        if is_ingest and self.strikes.strikes(Kind.STEP_KILLED_AFTER_SENDING):
            raise WorkerKilled
        if connection.is_aborted:
            raise NoResponse(ConnectionError("a fault of the sandbox"), was_sent=True)
        return _build_response(connection.messages)

    def _run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine to its end. The fixture of a browser may have left its own loop running in this thread."""
        other = asyncio._get_running_loop()
        asyncio._set_running_loop(None)
        try:
            return self.loop.run_until_complete(coroutine)
        finally:
            asyncio._set_running_loop(other)

    def _fail_before(self, action: str) -> str:
        """Return the error of a request that does not reach AWS, empty for others."""
        if action == "StartSyncExecution":
            if self.strikes.strikes(Kind.STARTER_KILLED_BEFORE_START):
                raise WorkerKilled
            return "ThrottlingException" if self.strikes.strikes(Kind.START_THROTTLED) else ""
        if action == "PutRecord" and self.strikes.strikes(Kind.LEDGER_UNAVAILABLE):
            return "ServiceUnavailableException"
        if action == "GetSecretValue" and self.strikes.strikes(Kind.SECRET_UNREADABLE):
            return "InternalServiceError"
        if action in {"SendMessage", "DeleteMessage"} and self.strikes.strikes(Kind.KILLED_AT_QUEUE):
            raise WorkerKilled
        return ""


def _list_counted(receipt: bytes) -> Iterator[str]:
    """The names of the usages that a receipt has as counted."""
    for entry in decode_receipts(receipt, ""):
        if entry.outcome == "counted" and entry.record:
            yield msgspec.json.decode(entry.record)["dimensions"]["name"]


def build_network(sandbox: Sandbox) -> Network:
    return Network(sandbox.build_app(), asyncio.new_event_loop())


def _to_text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _build_scope(method: str, path: str, params: dict[str, str] | None, headers: Mapping[str, str]) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": urlencode(params or {}).encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("amberflo.test", 80),
    }


def _build_response(messages: list[Any]) -> HttpResponse:
    headers = Message()
    for name, value in messages[0]["headers"]:
        headers[name.decode()] = value.decode()
    return HttpResponse(messages[0]["status"], headers, b"".join(message.get("body", b"") for message in messages[1:]))
