"""Move the customer of an offboarded tenant to its last lifecycle stage. The customer and its usage stay.

Request: the EventBridge event. Response: 200 with the customer; 400 with ``rejected`` if the event names no tenant.
A customer that does not exist is created in the last stage, so that an older onboarding event finds it there. An event
that was sent before the tenant was onboarded again changes nothing.
"""

from typing import Any

from amberflo_workflows.core.response import StepResponse, success
from amberflo_workflows.core.tenant import Tenant
from amberflo_workflows.tasks.amberflo.customers import (
    LAST_STAGE,
    OFFBOARDED_AT,
    ONBOARDED_AT,
    get_or_create_customer,
    is_offboarded,
    writable_fields,
)
from amberflo_workflows.tasks.step import Step, step
from amberflo_workflows.tasks.tenant_step import RejectedEventResponse, tenant_step


def _offboard(tenant: Tenant, step: Step) -> StepResponse:
    time = {OFFBOARDED_AT: tenant.event_time} if tenant.event_time else {}
    new_customer = {"customerId": tenant.id, "customerName": tenant.name, "lifecycleStage": LAST_STAGE, "traits": time}
    customer = get_or_create_customer(step.amberflo, new_customer)
    traits = customer.get("traits") or {}
    if tenant.event_time and tenant.event_time < traits.get(ONBOARDED_AT, ""):
        return success(200, customer)
    # The time first: if this execution ends in between, its redelivery sets the stage.
    if tenant.event_time > traits.get(OFFBOARDED_AT, ""):
        timed = {**writable_fields(customer), "traits": {**traits, **time}}
        customer = step.amberflo.call("PUT", "/customers", timed) or timed
    if is_offboarded(customer):
        return success(200, customer)
    stage = {"customerId": tenant.id, "lifecycleStage": LAST_STAGE}
    return success(200, step.amberflo.call("PUT", "/customers/stage", stage) or {**customer, **stage})


@step(lambda request: request)
def handler(request: Any, step: Step) -> StepResponse | RejectedEventResponse:
    return tenant_step(_offboard)(request, step)
