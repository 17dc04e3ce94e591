"""Move the customer of a tenant that is offboarded to its last stage. Its usage stays, and so does the customer.

Request: the EventBridge event. Answer: 200 with the customer; 400 with ``rejected`` when the event names no tenant.
A customer that is not there is made in its last stage, so that an onboarding event that comes late finds it there.
"""

from typing import Any, Final

from amberflo_workflows.core.response import StepResponse, success
from amberflo_workflows.core.tenant import Tenant
from amberflo_workflows.tasks.step import Step, step
from amberflo_workflows.tasks.tenant_step import RejectedEventResponse, get_or_create_customer, tenant_step

LAST_STAGE: Final = "OFFBOARDED"


def _offboard(tenant: Tenant, step: Step) -> StepResponse:
    make = {"customerId": tenant.id, "customerName": tenant.name, "lifecycleStage": LAST_STAGE}
    found = get_or_create_customer(tenant, step, make)
    if str(found.get("lifecycleStage", "")).upper() == LAST_STAGE:
        return success(200, found)
    moved = {"customerId": tenant.id, "lifecycleStage": LAST_STAGE}
    return success(200, step.amberflo.call("PUT", "/customers/stage", moved) or {**found, **moved})


@step(lambda request: request)
def handler(request: Any, step: Step) -> StepResponse | RejectedEventResponse:
    """Lambda entry point."""
    return tenant_step(_offboard)(request, step)
