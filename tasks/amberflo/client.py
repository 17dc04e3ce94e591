"""One HTTP attempt against Amberflo, with its outcome as a value or a classified error.

Retries belong to the workflow. The one exception is a short ``Retry-After``, waited out once inside the step,
because that is cheaper and more exact than failing the try.
"""

import gzip
import time
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import msgspec

from amberflo_workflows.core.observability import record_call
from amberflo_workflows.tasks.amberflo.errors import (
    AmberfloClientError,
    AmberfloThrottled,
    AmberfloUnauthorized,
    AmberfloUnavailable,
)
from amberflo_workflows.tasks.amberflo.transport import MAX_RESPONSE_BYTES, TRANSPORT_ERRORS, HttpResponse, send_request

MAX_RETRY_AFTER_SECONDS: Final = 5.0
# A second attempt is worth a wait only if it has this much time left.
_SHORTEST_ATTEMPT_SECONDS: Final = 1.0
# Between the moment we give up and the state's own limit, so that the error is ours, not States.Timeout.
_MARGIN_SECONDS: Final = 0.5
# Amberflo's SDK always compresses; below a packet's size it only costs.
_GZIP_FROM_BYTES: Final = 1_400
_TOO_LARGE: Final = (
    f"Amberflo's answer has more than {MAX_RESPONSE_BYTES:,} bytes. Ask for less: a shorter time, a longer interval, "
    "less to group by, or a filter."
)
# What is not UTF-8 and what is nested too deep have errors of their own.
_NOT_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def path(*parts: str) -> str:
    """A path of escaped parts: ``path("meters", "a/b")`` is ``/meters/a%2Fb``. None may be dots alone."""
    return "".join("/" + quote(part, safe="") for part in parts)


@dataclass(frozen=True)
class AmberfloClient:
    """Amberflo under one API key, with the time that the state has for it.

    ``timeout_seconds`` is the state's own limit; every attempt ends a little before it.
    """

    api_key: str
    base_url: str
    ingest_url: str
    timeout_seconds: float

    def __repr__(self) -> str:
        return f"AmberfloClient({self.base_url})"

    def call(self, method: str, path: str, body: object = None, params: dict[str, str] | None = None) -> Any:
        """Send one request to the control API; give the decoded JSON of the answer, ``None`` for an empty one.

        Raises :class:`AmberfloClientError`, :class:`AmberfloThrottled`, :class:`AmberfloUnavailable`,
        :class:`AmberfloUnauthorized`.
        """
        payload = None if body is None else msgspec.json.encode(body)
        answer = self._send(method, self.base_url + path, payload, params)
        if answer.body is None:
            raise AmberfloClientError(413, _TOO_LARGE)
        if not answer.body.strip():
            return None
        try:
            return msgspec.json.decode(answer.body)
        except _NOT_JSON:
            raise AmberfloUnavailable(f"Amberflo answered {method} {path} with what is not JSON.") from None

    def ingest(self, records: bytes) -> None:
        """Send usage records: a JSON array as bytes. The answer is plain text and says nothing of use.

        Raises what :meth:`call` raises.
        """
        self._send("POST", self.ingest_url + "/ingest", records, None)

    def _send(self, method: str, url: str, payload: bytes | None, params: dict[str, str] | None) -> HttpResponse:
        deadline = time.monotonic() + self.timeout_seconds - _MARGIN_SECONDS
        answer = self._attempt(method, url, payload, params, deadline)
        wait = _retry_after_seconds(answer)
        if wait is not None and time.monotonic() + wait + _SHORTEST_ATTEMPT_SECONDS <= deadline:
            time.sleep(wait)
            answer = self._attempt(method, url, payload, params, deadline)
        _raise_for_status(answer, self.api_key)
        return answer

    def _attempt(
        self, method: str, url: str, payload: bytes | None, params: dict[str, str] | None, deadline: float
    ) -> HttpResponse:
        headers = {
            "X-API-KEY": self.api_key,
            "Accept": "application/json",
            "Content-Type": "application/json",
        }
        if payload is not None and len(payload) >= _GZIP_FROM_BYTES and url.startswith(self.ingest_url + "/ingest"):
            payload = gzip.compress(payload, compresslevel=1, mtime=0)
            headers["Content-Encoding"] = "gzip"
        started = time.monotonic()
        left = max(deadline - started, 0.1)
        try:
            answer = send_request(method, url, params=params, body=payload, headers=headers, seconds=left)
        except TRANSPORT_ERRORS as error:
            record_call(method, type(error).__name__, started)
            # The original message may quote the URL with its query; the class says enough.
            raise AmberfloUnavailable(f"No answer from Amberflo ({type(error).__name__}).") from None
        record_call(method, str(answer.status), started)
        return answer


def _retry_after_seconds(answer: HttpResponse) -> float | None:
    if answer.status != 429:
        return None
    try:
        seconds = float(answer.headers.get("Retry-After", ""))
    except ValueError:
        # A date, or nothing: the workflow's own wait will do.
        return None
    return seconds if 0 <= seconds <= MAX_RETRY_AFTER_SECONDS else None


def _raise_for_status(answer: HttpResponse, api_key: str) -> None:
    status = answer.status
    if status == 200 or status in {201, 202, 204}:
        return
    if status == 429:
        raise AmberfloThrottled("Amberflo is throttling (429).")
    if status in {401, 403}:
        raise AmberfloUnauthorized(f"Amberflo refused the API key ({status}).")
    if status in {400, 404, 409, 413, 422}:
        # A talkative server may quote what it was asked with.
        raise AmberfloClientError(status, _message_of(answer).replace(api_key, "(the API key)")[:500])
    raise AmberfloUnavailable(f"Amberflo answered with status {status}.")


def _message_of(answer: HttpResponse) -> str:
    """Amberflo's own words: ``errorMessage`` from its services, ``message`` from its gateway."""
    try:
        body = msgspec.json.decode(answer.body or b"")
    except _NOT_JSON:
        body = None
    if isinstance(body, dict):
        for key in ("errorMessage", "message"):
            if isinstance(body.get(key), str) and body[key]:
                # On its way into logs and terminals: no line of its own, and nothing that steers.
                return "".join(one if one.isprintable() else " " for one in body[key])
    return f"Amberflo refused the request with status {answer.status} and no message."
