"""The decorator for every step that calls Amberflo: its input, validation, error responses and log context.

The workflow calls a step with ``{"request", "apiKey": {"versionId", "refreshed"}, "execution": {"name", "startTime"},
"retryCount", "timeoutSeconds"}``; ``request`` is what the caller sent, unchanged.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import msgspec

from amberflo_workflows.core.initialization import at_initialization
from amberflo_workflows.core.observability import logger
from amberflo_workflows.core.response import (
    PayloadTooLarge,
    StepResponse,
    error_response,
    field_error_response,
    validation_error_response,
)
from amberflo_workflows.tasks.amberflo.api_key import api_keys
from amberflo_workflows.tasks.amberflo.client import AmberfloClient
from amberflo_workflows.tasks.amberflo.config import endpoints
from amberflo_workflows.tasks.amberflo.errors import AmberfloClientError
from amberflo_workflows.tasks.amberflo.transport import prepare

Request = TypeVar("Request")


class ApiKeyVersion(msgspec.Struct, rename="camel"):
    """The output of ``ResolveApiKey``."""

    version_id: str
    refreshed: bool = False


class ExecutionContext(msgspec.Struct, rename="camel"):
    """The execution of this step; ``start_time`` is ISO 8601."""

    name: str
    start_time: str


class StepInput(msgspec.Struct, rename="camel"):
    """The event of a step. Its request is not yet validated."""

    request: Any
    api_key: ApiKeyVersion
    execution: ExecutionContext
    timeout_seconds: float
    retry_count: int = 0


class Step(msgspec.Struct):
    """What a step needs besides its request."""

    amberflo: AmberfloClient
    execution: ExecutionContext
    retry_count: int
    key_refreshed: bool = False

    @property
    def is_repeated(self) -> bool:
        """Whether an earlier attempt of this execution may have taken effect, although its response was lost."""
        return self.retry_count > 0 or self.key_refreshed


def step(
    parse_request: Callable[[Any], Request],
) -> Callable[[Callable[[Request, Step], Any]], Callable[[Any, object], Any]]:
    """Make a Lambda handler of ``function(request, step)``.

    ``parse_request`` turns the JSON of the request into a typed one and raises ``msgspec.ValidationError`` if it is
    invalid, which becomes a 400 response. A rejection by Amberflo that the caller can fix becomes a 4xx response, and a
    payload that is too large a 413. All other errors are raised, for the workflow to retry.
    """

    def decorate(function: Callable[[Request, Step], Any]) -> Callable[[Any, object], Any]:
        @wraps(function)
        def handler(event: Any, _context: object) -> Any:
            step_input = msgspec.convert(event, StepInput)
            logger.set_correlation_id(step_input.execution.name)
            try:
                return function(parse_request(step_input.request), _build_step(step_input))
            except msgspec.ValidationError as error:
                return validation_error_response(error)
            except UnicodeEncodeError:
                return field_error_response("", "It contains text that is not valid Unicode")
            except PayloadTooLarge as error:
                return error_response(413, str(error))
            except AmberfloClientError as error:
                return _build_error_response(error)

        return handler

    return decorate


def _prepare() -> None:
    """Read the key, which the first invocation then has already, and the certificates for Amberflo's server."""
    prepare(endpoints().base_url)
    api_keys().current_version(refresh=False)


def _build_step(step_input: StepInput) -> Step:
    client = AmberfloClient(
        api_key=api_keys().key(step_input.api_key.version_id),
        base_url=endpoints().base_url,
        ingest_url=endpoints().ingest_url,
        timeout_seconds=step_input.timeout_seconds,
    )
    return Step(client, step_input.execution, step_input.retry_count, step_input.api_key.refreshed)


def _build_error_response(error: AmberfloClientError) -> StepResponse:
    """Return Amberflo's rejection as a response to the caller.

    Amberflo returns 400 for a name that is taken and for a meter that is locked (third-party clients saw this on its
    live API); both are conflicts, so they become 409.
    """
    if error.status == 400 and ("already exists" in error.message or "lockingStatus" in error.message):
        return error_response(409, error.message)
    return error_response(400 if error.status == 422 else error.status, error.message)


at_initialization(_prepare)
