"""The product's own HTTP API, as a caller uses it: with an address and a bearer token."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import msgspec
import requests

from amberflo_workflows.operate.errors import OperatorError

CONNECT_SECONDS: Final = 5
# API Gateway ends a call after 30 s.
READ_SECONDS: Final = 35


class ApiError(OperatorError):
    """The API answered with an error: HTTP's ``status``, all that it ``said``, in one line, and where to see more."""

    def __init__(self, status: int, said: str, hint: str) -> None:
        super().__init__(f"{said} {hint}".strip())
        self.status, self.said, self.hint = status, said, hint


@dataclass(frozen=True)
class ApiClient:
    """The API at an address that ends in a slash; ``command`` is the command line for the same deployment.

    Methods raise :class:`ApiError`, and :class:`OperatorError` when there is no answer or none that makes sense.
    """

    endpoint: str
    token: str = field(repr=False)
    http: requests.Session
    command: str = "metering"

    def call(
        self, method: str, *path: str, query: Mapping[str, str | int] | None = None, body: object = None
    ) -> dict[str, Any]:
        """The answer's JSON object, which has a member ``data``."""
        url = self.endpoint + "/".join(quote(part, safe="") for part in path)
        try:
            response = self.http.request(
                method,
                url,
                params=query,
                json=body,
                auth=self._authorised,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
            )
        except requests.ReadTimeout:
            raise OperatorError(
                f"The API did not answer within {READ_SECONDS} s. What it began may still take effect: look before you "
                "repeat the call."
            ) from None
        except requests.RequestException as error:
            raise OperatorError(
                f"The API at {self.endpoint} cannot be reached ({type(error).__name__}); does it run, and is the "
                "address right?"
            ) from None
        answer = _object(response)
        if response.status_code >= 300:
            raise ApiError(response.status_code, _said(response, answer), self._hint(response))
        if "data" not in answer:
            raise _nonsense(response)
        return answer

    def meters(self) -> Iterator[dict[str, Any]]:
        """All meters, sorted by name."""
        query: dict[str, str | int] = {}
        while True:
            page = self.call("GET", "meters", query=query)
            yield from page["data"]
            if not page.get("next_token"):
                return
            query = {"next_token": page["next_token"]}

    def meter(self, given: str) -> dict[str, Any]:
        """The meter with an id or, if none has it as its id, with an API name."""
        found = list(self.meters())
        for member in ("id", "meterApiName"):
            for meter in found:
                if meter.get(member) == given:
                    return meter
        # A list may lag behind; what the API says of an id is the last word.
        try:
            return dict(self.call("GET", "meters", given)["data"])
        except ApiError as refusal:
            if refusal.status != 404:
                raise
            said = f"{refusal.said} There is none with that name either; all of them: {self.command} meters list."
            raise ApiError(404, said, refusal.hint) from None

    def _authorised(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        # As `auth` and not as a header, which a netrc file of the user's would replace.
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request

    def _hint(self, response: requests.Response) -> str:
        arn = response.headers.get("x-execution-arn")
        return f"See: {self.command} executions show {arn}" if arn else ""


def request_token(
    endpoint: str, client_id: str, secret: str, *, scopes: Sequence[str] = (), http: requests.Session | None = None
) -> str:
    """A bearer token for these scopes of a machine client, or all that it has. Raises :class:`OperatorError`."""
    form = {"grant_type": "client_credentials"} | ({"scope": " ".join(scopes)} if scopes else {})
    try:
        response = (http or requests.Session()).post(
            endpoint,
            data=form,
            auth=(client_id, secret),
            timeout=(CONNECT_SECONDS, READ_SECONDS),
            allow_redirects=False,
        )
    except requests.RequestException as error:
        raise OperatorError(f"No token: {endpoint} cannot be reached ({type(error).__name__}).") from None
    token = _object(response).get("access_token")
    if not response.ok or not isinstance(token, str):
        raise OperatorError(
            f"No token: {endpoint} answered {response.status_code}; a token can also be given in ACCESS_TOKEN."
        )
    return token


def _said(response: requests.Response, answer: Mapping[str, Any]) -> str:
    message = str(answer.get("message") or "no reason given").rstrip(".")
    said = f"The API answered {response.status_code}: {message}."
    details = answer.get("details")
    for problem in map(_problem, details if isinstance(details, list) else []):
        # Mostly the message has the first of them in it.
        if problem not in said:
            said += f" {problem}."
    if response.status_code in {401, 403}:
        said += " The token is not good for it; if it is from ACCESS_TOKEN, set a fresh one."
    if "Retry-After" in response.headers:
        said += f" Try again in {response.headers['Retry-After']} s."
    return " ".join(said.split())


def _object(response: requests.Response) -> dict[str, Any]:
    try:
        return msgspec.json.decode(response.content, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise _nonsense(response) from None


def _nonsense(response: requests.Response) -> OperatorError:
    return OperatorError(
        f"{response.request.method} {response.url} answered {response.status_code} with what the API would not say; is "
        "the address right?"
    )


def _problem(entry: object) -> str:
    return f"{entry.get('field')}: {entry.get('problem')}" if isinstance(entry, dict) else str(entry)
