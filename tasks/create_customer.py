"""Make a customer of a tenant that is onboarded, or complete the one that is there.

Request: the EventBridge event. Answer: 200 with the customer; 400 with ``rejected`` when the event names no tenant.
What a customer has stays as it is, its stage too: the event may be old, or come again.
"""

from typing import Any

from amberflo_workflows.core.response import StepResponse, success
from amberflo_workflows.core.tenant import Tenant, writable_customer_fields
from amberflo_workflows.tasks.step import Step, step
from amberflo_workflows.tasks.tenant_step import RejectedEventResponse, get_or_create_customer, tenant_step


def _create(tenant: Tenant, step: Step) -> StepResponse:
    found = get_or_create_customer(tenant, step, _told(tenant))
    completed = _completed(found, tenant)
    if completed != writable_customer_fields(found):
        found = step.amberflo.call("PUT", "/customers", completed) or completed
    return success(200, found)


def _told(tenant: Tenant) -> dict[str, Any]:
    email = {"customerEmail": tenant.email} if tenant.email else {}
    return {
        "customerId": tenant.id,
        "customerName": tenant.name,
        **email,
        "traits": {"tier": tenant.tier} if tenant.tier else {},
    }


def _completed(found: dict[str, Any], tenant: Tenant) -> dict[str, Any]:
    """The customer as it is, with what it lacks; a PUT loses what it leaves out."""
    told, has = _told(tenant), writable_customer_fields(found)
    # The name of a customer that was made without knowing one is its id.
    if has.get("customerName") == tenant.id:
        has["customerName"] = told["customerName"]
    has = {**told, **{key: value for key, value in has.items() if value is not None}}
    return {**has, "traits": {**told["traits"], **(found.get("traits") or {})}}


@step(lambda request: request)
def handler(request: Any, step: Step) -> StepResponse | RejectedEventResponse:
    """Lambda entry point."""
    return tenant_step(_create)(request, step)
