"""Move the customer of an offboarded tenant to its last lifecycle stage. The customer and its usage stay.

Request: the EventBridge event. Response: 200 with the customer; 400 with ``rejected`` if the event names no tenant.
A customer that does not exist is created in the last stage, so that a later onboarding event finds it there.
"""

from typing import Any, Final

from amberflo_workflows.core.response import StepResponse, success
from amberflo_workflows.core.tenant import Tenant
from amberflo_workflows.tasks.amberflo.customers import get_or_create_customer
from amberflo_workflows.tasks.step import Step, step
from amberflo_workflows.tasks.tenant_step import RejectedEventResponse, tenant_step

LAST_STAGE: Final = "OFFBOARDED"


def _offboard(tenant: Tenant, step: Step) -> StepResponse:
    new_customer = {"customerId": tenant.id, "customerName": tenant.name, "lifecycleStage": LAST_STAGE}
    customer = get_or_create_customer(step.amberflo, new_customer)
    if str(customer.get("lifecycleStage", "")).upper() == LAST_STAGE:
        return success(200, customer)
    stage = {"customerId": tenant.id, "lifecycleStage": LAST_STAGE}
    return success(200, step.amberflo.call("PUT", "/customers/stage", stage) or {**customer, **stage})


@step(lambda request: request)
def handler(request: Any, step: Step) -> StepResponse | RejectedEventResponse:
    return tenant_step(_offboard)(request, step)
