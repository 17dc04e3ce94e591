"""Create the customer of an onboarded tenant, or add what the existing customer lacks.

Request: the EventBridge event. Response: 200 with the customer; 400 with ``rejected`` if the event names no tenant.
What the customer has already stays as it is: the event may be old or delivered again. An event that was sent after the
tenant was offboarded onboards it again: the customer returns to the first lifecycle stage.
"""

from typing import Any, Final

from amberflo_workflows.core.response import StepResponse, success
from amberflo_workflows.core.tenant import Tenant
from amberflo_workflows.tasks.amberflo.customers import (
    ONBOARDED_AT,
    get_or_create_customer,
    is_offboarded,
    offboarding_time,
    writable_fields,
)
from amberflo_workflows.tasks.step import Step, step
from amberflo_workflows.tasks.tenant_step import RejectedEventResponse, tenant_step

FIRST_STAGE: Final = "ONBOARDING"


def _create(tenant: Tenant, step: Step) -> StepResponse:
    customer = get_or_create_customer(step.amberflo, _build_customer(tenant))
    completed = _complete(customer, tenant)
    if completed != writable_fields(customer):
        customer = step.amberflo.call("PUT", "/customers", completed) or completed
    return success(200, customer)


def _build_customer(tenant: Tenant) -> dict[str, Any]:
    email = {"customerEmail": tenant.email} if tenant.email else {}
    traits = {"tier": tenant.tier, ONBOARDED_AT: tenant.event_time}
    return {
        "customerId": tenant.id,
        "customerName": tenant.name,
        **email,
        "traits": {name: text for name, text in traits.items() if text},
    }


def _complete(customer: dict[str, Any], tenant: Tenant) -> dict[str, Any]:
    """Return the customer with what it lacks added. A PUT removes the fields that it leaves out."""
    new, fields = _build_customer(tenant), writable_fields(customer)
    # A customer that was created without a name has its id as its name.
    if fields.get("customerName") == tenant.id:
        fields["customerName"] = new["customerName"]
    fields = {**new, **{name: value for name, value in fields.items() if value is not None}}
    fields["traits"] = {**new["traits"], **(customer.get("traits") or {})}
    if tenant.event_time > fields["traits"].get(ONBOARDED_AT, ""):
        fields["traits"][ONBOARDED_AT] = tenant.event_time
    # The stage has an endpoint of its own, but that one only moves it forward.
    if is_offboarded(customer) and tenant.event_time > offboarding_time(customer):
        fields["lifecycleStage"] = FIRST_STAGE
    return fields


@step(lambda request: request)
def handler(request: Any, step: Step) -> StepResponse | RejectedEventResponse:
    return tenant_step(_create)(request, step)
