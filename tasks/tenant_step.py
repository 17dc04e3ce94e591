"""What the steps that make customers of tenants have in common."""

import json
from collections.abc import Callable
from typing import Any, Final, TypedDict

from aws_lambda_powertools import single_metric
from aws_lambda_powertools.metrics import MetricUnit

from amberflo_workflows.core.reported_usage import MAX_REASON_BYTES
from amberflo_workflows.core.response import StepResponse, error_response
from amberflo_workflows.core.tenant import EVENT_ITEM_PREFIX, InvalidTenantEvent, Tenant, parse_tenant
from amberflo_workflows.tasks.amberflo.errors import AmberfloClientError
from amberflo_workflows.tasks.step import Step

# As text within the item that a state puts into the table, all in 262,144 bytes.
MAX_EVENT_BYTES: Final = 250_000


class EventTooLarge(ValueError):
    """A refused event does not fit into the rejected table; the workflow puts it into the dead-letter queue."""


class RefusedEvent(TypedDict):
    """What the rejected table keeps of a tenant event that was not understood, beside the execution's input."""

    id: str
    reason: str


class RejectedEventResponse(TypedDict):
    """A 400 answer, and what is to be kept."""

    statusCode: int
    body: dict[str, object]
    rejected: RefusedEvent


def tenant_step(
    act: Callable[[Tenant, Step], StepResponse],
) -> Callable[[Any, Step], StepResponse | RejectedEventResponse]:
    """Make a step of ``act(tenant, step)``: an event that names no tenant, or is refused, is to be kept."""

    def of_event(event: Any, step: Step) -> StepResponse | RejectedEventResponse:
        try:
            tenant = parse_tenant(event)
            return act(tenant, step)
        except InvalidTenantEvent as refusal:
            return _refusal(event, step, str(refusal))
        except AmberfloClientError as refusal:
            return _refusal(event, step, f"Amberflo refused it: {refusal.message}"[:MAX_REASON_BYTES])

    return of_event


def get_or_create_customer(tenant: Tenant, step: Step, make: dict[str, Any]) -> dict[str, Any]:
    """The customer that is there for a tenant, else one that is made as told. Raises what the client raises."""
    found = _find(tenant, step)
    if found is not None:
        return found
    try:
        made = step.amberflo.call("POST", "/customers", make)
    except AmberfloClientError:
        # Another event of the same tenant may have been a moment faster.
        found = _find(tenant, step)
        if found is None:
            raise
        return found
    return made if isinstance(made, dict) and made else make


def _find(tenant: Tenant, step: Step) -> dict[str, Any] | None:
    """Amberflo answers ``{}`` for a customer that is not there."""
    found = step.amberflo.call("GET", "/customers/", params={"customerId": tenant.id})
    return found if isinstance(found, dict) and found.get("customerId") else None


def _refusal(event: Any, step: Step, reason: str) -> RejectedEventResponse:
    _count()
    answer = error_response(400, f"The event is wrong: {reason}.")
    identity = event.get("id") if isinstance(event, dict) and isinstance(event.get("id"), str) else step.execution.name
    size = len(json.dumps(json.dumps(event, ensure_ascii=False), ensure_ascii=False).encode("utf-8", "surrogatepass"))
    if size > MAX_EVENT_BYTES:
        raise EventTooLarge(f"The event is wrong, {reason}, and too large for the rejected table with {size:,} bytes.")
    rejected: RefusedEvent = {"id": f"{EVENT_ITEM_PREFIX}{identity}"[:200], "reason": reason}
    return {**answer, "rejected": rejected}


def _count() -> None:
    """The alarm on refused tenants watches one metric, whichever step refused."""
    with single_metric(name="TenantsRejected", unit=MetricUnit.Count, value=1) as metric:
        metric.add_dimension("service", "customers")
