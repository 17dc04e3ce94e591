"""One HTTP attempt against Amberflo, with its outcome as a value or a classified error.

Retries belong to the workflow. The one exception is a short ``Retry-After``, waited out once inside the step,
because that is cheaper and more exact than failing the try.
"""

import gzip
import time
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from urllib.parse import quote

import msgspec
import requests
from requests.adapters import HTTPAdapter

from amberflo_workflows.tasks.amberflo.errors import (
    AmberfloRefused,
    AmberfloThrottled,
    AmberfloUnauthorized,
    AmberfloUnavailable,
)
from amberflo_workflows.tasks.observability import call_finished

CONNECT_SECONDS: Final = 2.0
LONGEST_RETRY_AFTER_SECONDS: Final = 5.0
# A second attempt is worth a wait only if it has this much time left.
_SHORTEST_ATTEMPT_SECONDS: Final = 1.0
# Between the moment we give up and the state's own limit, so that the error is ours, not States.Timeout.
_MARGIN_SECONDS: Final = 0.5
# Amberflo's SDK always compresses; below a packet's size it only costs.
_GZIP_FROM_BYTES: Final = 1_400


@cache
def _session() -> requests.Session:
    session = requests.Session()
    adapter = HTTPAdapter(max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    # Neither a proxy nor a .netrc of the environment may see or replace the key.
    session.trust_env = False
    return session


def path(*parts: str) -> str:
    """A path of escaped parts: ``path("meters", "a/b")`` is ``/meters/a%2Fb``.

    Dots are escaped too where they are all there is, since ``..`` would climb.
    """
    return "".join("/" + (quote(part, safe="") if part.strip(".") else part.replace(".", "%2E")) for part in parts)


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

        Raises :class:`AmberfloRefused`, :class:`AmberfloThrottled`, :class:`AmberfloUnavailable`,
        :class:`AmberfloUnauthorized`.
        """
        payload = None if body is None else msgspec.json.encode(body)
        response = self._send(method, self.base_url + path, payload, params)
        if not response.content.strip():
            return None
        try:
            return msgspec.json.decode(response.content)
        except msgspec.DecodeError:
            raise AmberfloUnavailable(f"Amberflo answered {method} {path} with what is not JSON.") from None

    def ingest(self, records: bytes) -> None:
        """Send usage records: a JSON array as bytes. The answer is plain text and says nothing of use.

        Raises what :meth:`call` raises.
        """
        self._send("POST", self.ingest_url + "/ingest", records, None)

    def _send(self, method: str, url: str, payload: bytes | None, params: dict[str, str] | None) -> requests.Response:
        deadline = time.monotonic() + self.timeout_seconds - _MARGIN_SECONDS
        response = self._attempt(method, url, payload, params, deadline)
        wait = _retry_after_seconds(response)
        if wait is not None and time.monotonic() + wait + _SHORTEST_ATTEMPT_SECONDS <= deadline:
            time.sleep(wait)
            response = self._attempt(method, url, payload, params, deadline)
        _raise_for_status(response)
        return response

    def _attempt(
        self, method: str, url: str, payload: bytes | None, params: dict[str, str] | None, deadline: float
    ) -> requests.Response:
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
        connect = min(CONNECT_SECONDS, left / 2)
        try:
            response = _session().request(
                method,
                url,
                params=params,
                data=payload,
                headers=headers,
                timeout=(connect, left - connect),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            call_finished(method, type(error).__name__, started)
            # The original message may quote the URL with its query; the class says enough.
            raise AmberfloUnavailable(f"No answer from Amberflo ({type(error).__name__}).") from None
        call_finished(method, str(response.status_code), started)
        return response


def _retry_after_seconds(response: requests.Response) -> float | None:
    if response.status_code != 429:
        return None
    try:
        seconds = float(response.headers.get("Retry-After", ""))
    except ValueError:
        # A date, or nothing: the workflow's own wait will do.
        return None
    return seconds if 0 <= seconds <= LONGEST_RETRY_AFTER_SECONDS else None


def _raise_for_status(response: requests.Response) -> None:
    status = response.status_code
    if status == 200 or status in {201, 202, 204}:
        return
    if status == 429:
        raise AmberfloThrottled("Amberflo is throttling (429).")
    if status in {401, 403}:
        raise AmberfloUnauthorized(f"Amberflo refused the API key ({status}).")
    if status in {400, 404, 409, 413, 422}:
        raise AmberfloRefused(status, _message_of(response))
    raise AmberfloUnavailable(f"Amberflo answered with status {status}.")


def _message_of(response: requests.Response) -> str:
    """Amberflo's own words: ``errorMessage`` from its services, ``message`` from its gateway."""
    try:
        body = msgspec.json.decode(response.content)
    except msgspec.DecodeError:
        body = None
    if isinstance(body, dict):
        for key in ("errorMessage", "message"):
            if isinstance(body.get(key), str) and body[key]:
                return str(body[key])[:500]
    return f"Amberflo refused the request with status {response.status_code} and no message."
