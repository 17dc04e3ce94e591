"""The HTTP client for Amberflo: one attempt per call, which returns the response or raises a classified error.

Retries belong to the workflow. The one exception is a short ``Retry-After``, for which a step waits once itself,
because that is cheaper and more exact than a failed attempt.
"""

import gzip
import time
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import msgspec

from amberflo_workflows.core.connections import NoResponse
from amberflo_workflows.core.observability import record_call
from amberflo_workflows.tasks.amberflo.errors import (
    AmberfloClientError,
    AmberfloThrottled,
    AmberfloUnauthorized,
    AmberfloUnavailable,
)
from amberflo_workflows.tasks.amberflo.transport import MAX_RESPONSE_BYTES, HttpResponse, send_request

MAX_RETRY_AFTER_SECONDS: Final = 5.0
# A second attempt is made only if it has at least this much time.
_MIN_ATTEMPT_SECONDS: Final = 1.0
# The client gives up this long before the state's own limit, so that the error is ours and not States.Timeout.
_MARGIN_SECONDS: Final = 0.5
# Amberflo's SDK compresses every request. It does not help if the request fits into a packet anyway.
_MIN_GZIP_BYTES: Final = 1_400
_TOO_LARGE: Final = (
    f"Amberflo's response has more than {MAX_RESPONSE_BYTES:,} bytes. Request less: a shorter range, a longer "
    "interval, fewer groups, or a filter."
)
# Invalid UTF-8 and JSON that is nested too deep have error types of their own.
_JSON_ERRORS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def build_path(*parts: str) -> str:
    """Return a path of escaped parts, none of which may be only dots.

    ``build_path("meters", "a/b")`` is ``/meters/a%2Fb``.
    """
    return "".join("/" + quote(part, safe="") for part in parts)


@dataclass(frozen=True)
class AmberfloClient:
    """A client with an API key, and with the time that the state has for the call.

    ``timeout_seconds`` is the state's own limit; every attempt ends a little earlier.
    """

    api_key: str
    base_url: str
    ingest_url: str
    timeout_seconds: float

    def __repr__(self) -> str:
        return f"AmberfloClient({self.base_url})"

    def call(self, method: str, path: str, body: object = None, params: dict[str, str] | None = None) -> Any:
        """Send a request to the control API. Return the decoded JSON of the response, or ``None`` if it is empty.

        Raises :class:`AmberfloClientError`, :class:`AmberfloThrottled`, :class:`AmberfloUnavailable`,
        :class:`AmberfloUnauthorized`.
        """
        payload = None if body is None else msgspec.json.encode(body)
        response = self._send(method, self.base_url + path, payload, params)
        if response.body is None:
            raise AmberfloClientError(413, _TOO_LARGE)
        if not response.body.strip():
            return None
        try:
            return msgspec.json.decode(response.body)
        except _JSON_ERRORS:
            raise AmberfloUnavailable(f"Amberflo's response to {method} {path} is not JSON.") from None

    def ingest(self, records: bytes) -> None:
        """Send usage records: a JSON array as bytes. The response is plain text without information.

        Raises what :meth:`call` raises.
        """
        self._send("POST", self.ingest_url + "/ingest", records, None)

    def _send(self, method: str, url: str, payload: bytes | None, params: dict[str, str] | None) -> HttpResponse:
        deadline = time.monotonic() + self.timeout_seconds - _MARGIN_SECONDS
        response = self._attempt(method, url, payload, params, deadline)
        wait = _parse_retry_after(response)
        if wait is not None and time.monotonic() + wait + _MIN_ATTEMPT_SECONDS <= deadline:
            time.sleep(wait)
            response = self._attempt(method, url, payload, params, deadline)
        _raise_for_status(response, self.api_key)
        return response

    def _attempt(
        self, method: str, url: str, payload: bytes | None, params: dict[str, str] | None, deadline: float
    ) -> HttpResponse:
        headers = {
            "X-API-KEY": self.api_key,
            "Accept": "application/json",
            "Content-Type": "application/json",
        }
        if payload is not None and len(payload) >= _MIN_GZIP_BYTES and url.startswith(self.ingest_url + "/ingest"):
            payload = gzip.compress(payload, compresslevel=1, mtime=0)
            headers["Content-Encoding"] = "gzip"
        started = time.monotonic()
        remaining = max(deadline - started, 0.1)
        try:
            response = send_request(method, url, params=params, body=payload, headers=headers, seconds=remaining)
        except NoResponse as error:
            record_call(method, error.reason, started)
            # The original message may quote what the server sent; the class says enough.
            raise AmberfloUnavailable(f"No response from Amberflo ({error.reason}).") from None
        record_call(method, str(response.status), started)
        return response


def _parse_retry_after(response: HttpResponse) -> float | None:
    """Return the seconds of ``Retry-After`` if the step should wait itself, else ``None``: the workflow waits."""
    if response.status != 429:
        return None
    try:
        seconds = float(response.headers.get("Retry-After", ""))
    except ValueError:
        return None
    return seconds if 0 <= seconds <= MAX_RETRY_AFTER_SECONDS else None


def _raise_for_status(response: HttpResponse, api_key: str) -> None:
    status = response.status
    if status in {200, 201, 202, 204}:
        return
    if status == 429:
        raise AmberfloThrottled("Amberflo is throttling (429).")
    if status in {401, 403}:
        raise AmberfloUnauthorized(f"Amberflo rejected the API key ({status}).")
    if status in {400, 404, 409, 413, 422}:
        # The response may quote the request with its headers.
        raise AmberfloClientError(status, _parse_error_message(response).replace(api_key, "(the API key)")[:500])
    raise AmberfloUnavailable(f"Amberflo returned status {status}.")


def _parse_error_message(response: HttpResponse) -> str:
    """Return Amberflo's own message: ``errorMessage`` from its services, ``message`` from its gateway."""
    try:
        body = msgspec.json.decode(response.body or b"")
    except _JSON_ERRORS:
        body = None
    if isinstance(body, dict):
        for name in ("errorMessage", "message"):
            if isinstance(body.get(name), str) and body[name]:
                # It goes into logs and terminals: no line breaks, and no control characters.
                return "".join(character if character.isprintable() else " " for character in body[name])
    return f"Amberflo rejected the request with status {response.status} and no message."
