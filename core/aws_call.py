"""Calls of AWS's JSON APIs without boto3, for what nearly every invocation of a Lambda does.

Importing boto3 and building a client takes a quarter of a second of processor time, which a new process spends while
its caller waits (``make bench ARGS=cold``). Here a request is signed and sent directly. boto3 makes the call where that
is not enough: behind a proxy, or with endpoints and credentials that are not those of Lambda's environment.
"""

import json
import math
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, NamedTuple

from amberflo_workflows.core import aws
from amberflo_workflows.core.connections import Connections, Limits, NoResponse, Request, tls_context
from amberflo_workflows.core.http_response import Response
from amberflo_workflows.core.signature import Credentials, Scope, sign

# How long a connection may have been idle for a call that is not repeatable. On one that AWS is just closing, the call
# fails although nothing happened, and its caller has to find out. AWS's SDKs use connections that were idle for a
# minute (Java) or for any time (Python). A new one takes two to three round trips, and the processor time of a TLS
# handshake.
MAX_IDLE_SECONDS: Final = 2.0
# boto3 makes the call if one of them is set.
_BOTO3_VARIABLES: Final = (
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
)


class AwsError(Exception):
    """AWS rejected a call, or failed with a status of 500 or more; ``code`` is the error's name."""

    def __init__(self, code: str, status: int) -> None:
        super().__init__(f"{code} ({status})")
        self.code = code
        self.status = status


class AwsApi(NamedTuple):
    """An API, and its limits in seconds: to connect, and for the response.

    ``service`` is boto3's name of it, ``signing_name`` that in signatures, ``target`` the start of the name of an
    operation.
    """

    service: str
    signing_name: str
    host: str
    endpoint_variable: str
    target: str
    json_version: str
    connect_seconds: float
    read_seconds: float

    def prepare(self) -> None:
        """Do what the first call does before it connects."""
        client(self)

    def call(self, operation: str, parameters: Mapping[str, Any], *, repeatable: bool) -> dict[str, Any]:
        """Make a call and return the members of the response.

        Names are those of the API, which boto3 has as well. A call that is ``repeatable`` is made a second time if the
        connection was refused or closed: a Lambda that was paused still has connections that AWS has closed since. Any
        other is made on a new connection, or on one that was in use within the last ``MAX_IDLE_SECONDS``. Raises
        :class:`AwsError` and :class:`~amberflo_workflows.core.connections.NoResponse`.
        """
        sender = client(self)
        try:
            return sender.call(operation, parameters, max_idle_seconds=math.inf if repeatable else MAX_IDLE_SECONDS)
        except NoResponse as error:
            if not repeatable or error.timed_out:
                raise
        return sender.call(operation, parameters, max_idle_seconds=0)


class _DirectClient:
    def __init__(self, api: AwsApi, url: str, region: str) -> None:
        self._api = api
        self._scope = Scope(region, api.signing_name)
        self._connections = Connections(url)
        self._limits = Limits(api.connect_seconds, api.read_seconds)
        if url.startswith("https:"):
            # Now, since a client is created in the initialization of a Lambda.
            tls_context()

    def call(self, operation: str, parameters: Mapping[str, Any], *, max_idle_seconds: float) -> dict[str, Any]:
        body = json.dumps(parameters).encode()
        headers = {
            "Content-Type": f"application/x-amz-json-{self._api.json_version}",
            "Host": self._connections.host,
            "X-Amz-Target": f"{self._api.target}.{operation}",
        }
        headers = sign(headers, body, self._scope, _read_credentials(), datetime.now(UTC))
        # Not signed, since AWS changes it on the way. It continues the trace of this invocation.
        if trace := os.environ.get("_X_AMZN_TRACE_ID"):
            headers["X-Amzn-Trace-Id"] = trace
        status, content = self._post(headers, body, max_idle_seconds)
        response = _parse_object(content)
        if status != 200 or not response:
            raise AwsError(_parse_code(response) or "UnknownError", status)
        return response

    def _post(self, headers: dict[str, str], body: bytes, max_idle_seconds: float) -> tuple[int, bytes]:
        request = Request("POST", "/", {**headers, "Accept-Encoding": "identity"}, body)
        response, content = self._connections.send(
            request, Response.read, self._limits, max_idle_seconds=max_idle_seconds
        )
        return response.status, content


class _Boto3Client:
    def __init__(self, api: AwsApi) -> None:
        self._client = aws.client(
            api.service,
            connect_seconds=api.connect_seconds,
            read_seconds=api.read_seconds,
            attempts=1,
            max_pool_connections=32,
        )

    def call(self, operation: str, parameters: Mapping[str, Any], *, max_idle_seconds: float) -> dict[str, Any]:
        from botocore import exceptions, xform_name  # noqa: PLC0415 - slows down cold starts, see core/aws.py

        if max_idle_seconds < math.inf:
            self._client.close()
        try:
            response: dict[str, Any] = getattr(self._client, xform_name(operation))(**parameters)
        except exceptions.ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            raise AwsError(error.response.get("Error", {}).get("Code", "unknown error"), status) from None
        except exceptions.ConnectTimeoutError as error:
            raise NoResponse(TimeoutError(str(error)), was_sent=False) from error
        except exceptions.ReadTimeoutError as error:
            raise NoResponse(TimeoutError(str(error)), was_sent=True) from error
        except (exceptions.ConnectionClosedError, exceptions.ResponseStreamingError) as error:
            raise NoResponse(error, was_sent=True) from error
        except exceptions.BotoCoreError as error:
            raise NoResponse(error, was_sent=False) from error
        return response


@cache
def client(api: AwsApi) -> _DirectClient | _Boto3Client:
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION", "")
    url = os.environ.get(api.endpoint_variable) or os.environ.get("AWS_ENDPOINT_URL") or _build_url(api.host, region)
    if url is None or "AWS_ACCESS_KEY_ID" not in os.environ or any(os.environ.get(name) for name in _BOTO3_VARIABLES):
        return _Boto3Client(api)
    return _DirectClient(api, url.rstrip("/"), region)


def _build_url(host: str, region: str) -> str | None:
    """Return the URL of a service, or ``None`` in a partition with other domains."""
    if not region or region.startswith(("us-iso", "eu-iso", "eusc-")):
        return None
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://{host}.{region}.{domain}"


def _read_credentials() -> Credentials:
    key_id, key = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
    return Credentials(key_id, key, os.environ.get("AWS_SESSION_TOKEN") or None)


def _parse_object(content: bytes) -> dict[str, Any]:
    try:
        response = json.loads(content)
    except ValueError:
        return {}
    return response if isinstance(response, dict) else {}


def _parse_code(response: Mapping[str, Any]) -> str:
    """Return the name of an error, which may have a namespace before it and a URL after it."""
    name = str(response.get("__type") or response.get("code") or "")
    return name.rpartition("#")[2].partition(":")[0]
