"""The decorator for the two customer steps: it reads the tenant from an event, and handles events that are rejected."""

import json
from collections.abc import Callable
from typing import Any, Final, TypedDict

from amberflo_workflows.core.observability import count_rejected
from amberflo_workflows.core.rejected_item import EVENT_ID_PREFIX
from amberflo_workflows.core.reported_usage import MAX_REASON_BYTES
from amberflo_workflows.core.response import StepResponse, error_response
from amberflo_workflows.core.tenant import InvalidTenantEvent, Tenant, parse_tenant
from amberflo_workflows.tasks.amberflo.errors import AmberfloClientError
from amberflo_workflows.tasks.step import Step

# The state that stores the item holds the event as JSON text; with the rest it must stay under 262,144 bytes.
MAX_EVENT_BYTES: Final = 250_000


class EventTooLarge(ValueError):
    """A rejected event does not fit into the rejected table; the workflow sends it to the dead-letter queue."""


class RejectedEvent(TypedDict):
    """What the rejected table stores of a rejected event, besides the event itself, which is the execution's input."""

    id: str
    reason: str


class RejectedEventResponse(TypedDict):
    """A 400 response, and what to store in the rejected table."""

    statusCode: int
    body: dict[str, object]
    rejected: RejectedEvent


def tenant_step(
    function: Callable[[Tenant, Step], StepResponse],
) -> Callable[[Any, Step], StepResponse | RejectedEventResponse]:
    """Make a step of ``function(tenant, step)``.

    An event that names no tenant, or that Amberflo rejects, becomes a 400 response with ``rejected``. Raises
    :class:`EventTooLarge` if such an event does not fit into the rejected table.
    """

    def handle_event(event: Any, step: Step) -> StepResponse | RejectedEventResponse:
        try:
            return function(parse_tenant(event), step)
        except InvalidTenantEvent as error:
            return _reject(event, step, str(error))
        except AmberfloClientError as error:
            return _reject(event, step, f"Amberflo rejected it: {error.message}"[:MAX_REASON_BYTES])

    return handle_event


def _reject(event: Any, step: Step, reason: str) -> RejectedEventResponse:
    count_rejected(1)
    response = error_response(400, f"The event is invalid: {reason}.")
    event_id = event.get("id") if isinstance(event, dict) and isinstance(event.get("id"), str) else step.execution.name
    size = len(json.dumps(json.dumps(event, ensure_ascii=False), ensure_ascii=False).encode("utf-8", "surrogatepass"))
    if size > MAX_EVENT_BYTES:
        raise EventTooLarge(
            f"The event is invalid ({reason}), and with {size:,} bytes too large for the rejected table."
        )
    return {**response, "rejected": {"id": f"{EVENT_ID_PREFIX}{event_id}"[:200], "reason": reason}}
