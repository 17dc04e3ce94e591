"""What every step that calls Amberflo has in common: its input, its validation, its log context.

The workflow calls a step with ``{"request", "apiKey": {"versionId"}, "execution": {"name", "startTime"},
"retryCount", "timeoutSeconds"}``; ``request`` is what the caller sent, as it came.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import msgspec

from amberflo_workflows.core.observability import flush_metrics, logger
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

Request = TypeVar("Request")


class ApiKeyVersion(msgspec.Struct, rename="camel"):
    """What ``ResolveApiKey`` answered."""

    version_id: str


class ExecutionContext(msgspec.Struct, rename="camel"):
    """The execution that this step belongs to; ``start_time`` is ISO 8601."""

    name: str
    start_time: str


class StepInput(msgspec.Struct, rename="camel"):
    """The event of a step, before its request is looked at."""

    request: Any
    api_key: ApiKeyVersion
    execution: ExecutionContext
    timeout_seconds: float
    retry_count: int = 0


class Step(msgspec.Struct):
    """What a step has at hand beside its request."""

    amberflo: AmberfloClient
    execution: ExecutionContext
    retry_count: int


def step(
    request_type: Callable[[Any], Request],
) -> Callable[[Callable[[Request, Step], Any]], Callable[[Any, object], Any]]:
    """Make a Lambda handler of ``function(request, step)``.

    ``request_type`` turns the raw request into a typed one and raises ``msgspec.ValidationError`` where it is
    wrong, which becomes a 400 answer; so does a refusal by Amberflo that the caller can mend, and what is too large
    becomes a 413. All else is raised, for the workflow to retry.
    """

    def decorate(function: Callable[[Request, Step], Any]) -> Callable[[Any, object], Any]:
        @wraps(function)
        def handler(event: Any, _context: object) -> Any:
            given = msgspec.convert(event, StepInput)
            logger.set_correlation_id(given.execution.name)
            try:
                return function(request_type(given.request), _step(given))
            except msgspec.ValidationError as error:
                return validation_error_response(error)
            except UnicodeEncodeError:
                return field_error_response("", "A text in it is not valid Unicode")
            except PayloadTooLarge as error:
                return error_response(413, str(error))
            except AmberfloClientError as error:
                return _refused(error)
            finally:
                flush_metrics()

        return handler

    return decorate


def _step(given: StepInput) -> Step:
    client = AmberfloClient(
        api_key=api_keys().key(given.api_key.version_id),
        base_url=endpoints().base_url,
        ingest_url=endpoints().ingest_url,
        timeout_seconds=given.timeout_seconds,
    )
    return Step(client, given.execution, given.retry_count)


def _refused(error: AmberfloClientError) -> StepResponse:
    """Amberflo's refusal as the caller should see it.

    Amberflo says 400 for a name that is taken and for a meter that is locked (observed on its live API by
    third-party clients); both are conflicts with what exists.
    """
    if error.status == 400 and ("already exists" in error.message or "lockingStatus" in error.message):
        return error_response(409, error.message)
    return error_response(400 if error.status == 422 else error.status, error.message)
