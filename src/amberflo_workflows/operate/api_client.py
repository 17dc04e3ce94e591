"""A client of the product's own HTTP API."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias
from urllib.parse import quote

import msgspec
import requests

from amberflo_workflows.operate.errors import OperatorError

# Query parameters; one with a list of values is repeated.
Query: TypeAlias = Mapping[str, str | int | list[str]]
CONNECT_SECONDS: Final = 5
# API Gateway ends a call after 30 s.
READ_SECONDS: Final = 35


class ApiError(OperatorError):
    """The API returned an error with an HTTP ``status``."""

    def __init__(self, status: int, message: str, *, see: str, program: str) -> None:
        super().__init__(message, see=see, program=program)
        self.status = status


@dataclass(frozen=True)
class ApiClient:
    """Calls the API at ``endpoint``, which ends in a slash; ``command`` is the command line for the same deployment.

    ``started_by`` says who calls, if that is not a person: ``console`` marks the executions of calls that read.
    Methods raise :class:`ApiError`, or :class:`OperatorError` if there is no response or an unexpected one.
    """

    endpoint: str
    token: str = field(repr=False)
    http: requests.Session
    command: str = "metering"
    started_by: str = ""

    def call(self, method: str, *path: str, query: Query | None = None, body: object = None) -> dict[str, Any]:
        """Call the API and return the JSON object of the response, which has a member ``data``."""
        url = self.endpoint + "/".join(quote(part, safe="") for part in path)
        try:
            response = self.http.request(
                method,
                url,
                params=query,
                json=body,
                headers={"x-started-by": self.started_by} if self.started_by else {},
                auth=self._authorize,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
            )
        except requests.ReadTimeout:
            raise OperatorError(
                f"The API did not respond within {READ_SECONDS} s. The request may still take effect: check its result "
                "before you repeat it."
            ) from None
        except requests.RequestException as error:
            raise OperatorError(
                f"The API at {self.endpoint} cannot be reached ({type(error).__name__}). Check that it is running and "
                "that the address is correct."
            ) from None
        members = _parse_object(response)
        if response.status_code >= 300:
            raise self._build_error(response.status_code, _describe_error(response, members), _find_command(response))
        if "data" not in members:
            raise _build_unexpected_response(response)
        return members

    def list_meters(self) -> Iterator[dict[str, Any]]:
        """Yield all meters, sorted by name."""
        return self._list("meters", {})

    def list_customers(self, search: str = "") -> Iterator[dict[str, Any]]:
        """Yield the customers whose id, name or email contains a text, sorted by id."""
        return self._list("customers", {"search": search} if search else {})

    def get_customer(self, customer_id: str) -> dict[str, Any]:
        """Return the customer of a tenant."""
        return dict(self.call("GET", "customers", customer_id)["data"])

    def _list(self, path: str, query: Query) -> Iterator[dict[str, Any]]:
        token: Query = {}
        while True:
            page = self.call("GET", path, query={**query, **token})
            yield from page["data"]
            if not page.get("next_token"):
                return
            token = {"next_token": page["next_token"]}

    def get_meter(self, id_or_name: str) -> dict[str, Any]:
        """Return the meter with this id, or if there is none, with this ``meterApiName``."""
        meters = list(self.list_meters())
        for member in ("id", "meterApiName"):
            for meter in meters:
                if meter.get(member) == id_or_name:
                    return meter
        # The list may be out of date, so the API is asked for the id.
        try:
            return dict(self.call("GET", "meters", id_or_name)["data"])
        except ApiError as error:
            if error.status != 404:
                raise
            raise self._build_error(404, f"{error.message} No meter has that name either.", error.see) from None

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        # Set by `auth`, because a netrc file of the user would replace a header.
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request

    def _build_error(self, status: int, message: str, see: str) -> ApiError:
        return ApiError(status, message, see=see, program=self.command)


def request_token(
    endpoint: str, client_id: str, secret: str, *, scopes: Sequence[str] = (), http: requests.Session | None = None
) -> str:
    """Request a bearer token for a machine client, by default with all its scopes. Raises :class:`OperatorError`."""
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
        raise OperatorError(f"No access token: {endpoint} cannot be reached ({type(error).__name__}).") from None
    token = _parse_object(response).get("access_token")
    if not response.ok or not isinstance(token, str):
        raise OperatorError(
            f"No access token: {endpoint} responded with {response.status_code}. You can also set ACCESS_TOKEN."
        )
    return token


def _find_command(response: requests.Response) -> str:
    """Return the command that shows the execution behind a response."""
    arn = response.headers.get("x-execution-arn")
    return f"executions show {arn}" if arn else ""


def _describe_error(response: requests.Response, members: Mapping[str, Any]) -> str:
    message = str(members.get("message") or "no message").rstrip(".")
    text = f"The API responded with {response.status_code}: {message}."
    details = members.get("details")
    for problem in map(_describe_problem, details if isinstance(details, list) else []):
        # Usually the message includes the first of them.
        if problem not in text:
            text += f" {problem}."
    if response.status_code in {401, 403}:
        text += " The access token is not valid for this call; if it is from ACCESS_TOKEN, set a new one."
    if "Retry-After" in response.headers:
        text += f" Retry in {response.headers['Retry-After']} s."
    return " ".join(text.split())


def _parse_object(response: requests.Response) -> dict[str, Any]:
    try:
        return msgspec.json.decode(response.content, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise _build_unexpected_response(response) from None


def _build_unexpected_response(response: requests.Response) -> OperatorError:
    return OperatorError(
        f"{response.request.method} {response.url} responded with {response.status_code} and an unexpected body. Check "
        "that the address is correct."
    )


def _describe_problem(entry: object) -> str:
    return f"{entry.get('field')}: {entry.get('problem')}" if isinstance(entry, dict) else str(entry)
