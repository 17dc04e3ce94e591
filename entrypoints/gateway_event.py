"""A request of an HTTP API, from the event of API Gateway in payload format 2.0."""

import base64
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

_PATHS: Final = (
    "/meters",
    "/meters/{meterId}",
    "/customers",
    "/customers/{customerId}",
    "/usage",
    "/usage/{meterId}",
    "/usage/{meterId}/records",
    "/ingest",
    "/reconciliations",
    "/reconciliations/{id}",
    "/replays",
    "/replays/{id}",
    "/periods",
    "/periods/{id}",
    "/openapi.json",
)
_PATTERNS: Final = {path: re.compile(re.sub(r"\\\{\w+\\\}", "([^/]+)", re.escape(path))) for path in _PATHS}


class UnsupportedEvent(ValueError):
    """The event is not one of an HTTP API in payload format 2.0."""


@dataclass(frozen=True)
class GatewayRequest:
    """A request; ``event`` is the complete event."""

    event: dict[str, Any]

    @property
    def method(self) -> str:
        return str(self.event["requestContext"]["http"]["method"])

    @property
    def path(self) -> str:
        """The path of the route, such as ``/meters/{meterId}``; empty if there is none."""
        return self._path_and_id[0]

    @property
    def resource_id(self) -> str:
        """The ID in the path. The gateway has decoded it: it may have any character."""
        parameters = self.event.get("pathParameters") or {}
        _, _, rest = self.path.partition("{")
        return str(parameters.get(rest.partition("}")[0], self._path_and_id[1]))

    @property
    def body(self) -> str:
        """The body. Raises ``UnicodeDecodeError`` if it is not text."""
        body = self.event.get("body") or ""
        return base64.b64decode(body).decode() if self.event.get("isBase64Encoded") else str(body)

    @property
    def query(self) -> dict[str, str | list[str]]:
        """The query parameters: text, or a list of texts if a parameter is repeated.

        They are read from the raw query string. In ``queryStringParameters`` the gateway joins repeated ones with
        commas, which the values may have as well.
        """
        query: dict[str, list[str]] = {}
        for name, value in parse_qsl(self.event.get("rawQueryString", ""), keep_blank_values=True):
            query.setdefault(name, []).append(value)
        return {name: values[0] if len(values) == 1 else values for name, values in query.items()}

    @cached_property
    def headers(self) -> dict[str, str]:
        """The headers by their names in lower case."""
        return {name.lower(): value for name, value in (self.event.get("headers") or {}).items()}

    @cached_property
    def _path_and_id(self) -> tuple[str, str]:
        """The path of the route that the gateway matched, which may be under a prefix, or else that of the call."""
        route = str(self.event.get("routeKey", "")).partition(" ")[2]
        if matched := next((path for path in _PATHS if route.endswith(path)), ""):
            return matched, ""
        stage = self.event["requestContext"].get("stage", "$default")
        path = str(self.event.get("rawPath", "")).removeprefix("" if stage == "$default" else f"/{stage}")
        for template, pattern in _PATTERNS.items():
            if match := pattern.fullmatch(path):
                return template, unquote("".join(match.groups()))
        return "", ""


def read_request(event: dict[str, Any]) -> GatewayRequest:
    """Return the request of an event. Raises :class:`UnsupportedEvent`."""
    version = event.get("version")
    if version != "2.0":
        raise UnsupportedEvent(
            f"The API's route passes on an event of payload format {version}. Use an HTTP API, and set "
            "payloadFormatVersion of the route's integration to 2.0."
        )
    return GatewayRequest(event)
