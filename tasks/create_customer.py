"""Make a customer of a tenant that is onboarded, or complete the one that is there.

Request: the EventBridge event. Answer: 200 with the customer; 400 with ``rejected`` when the event names no tenant.
What a customer has stays as it is, its stage too: the event may be old, or come again.
"""

from typing import Any

from amberflo_workflows.core.response import Answer, success
from amberflo_workflows.core.tenant import Tenant, writable_customer
from amberflo_workflows.tasks.step import Step, step
from amberflo_workflows.tasks.tenant_step import Refusal, found_or_made, understood


def _create(tenant: Tenant, step: Step) -> Answer:
    found = found_or_made(tenant, step, _told(tenant))
    completed = _completed(found, tenant)
    if completed != writable_customer(found):
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
    told, has = _told(tenant), writable_customer(found)
    # The name of a customer that was made without knowing one is its id.
    if has.get("customerName") == tenant.id:
        has["customerName"] = told["customerName"]
    has = {**told, **{key: value for key, value in has.items() if value is not None}}
    return {**has, "traits": {**told["traits"], **(found.get("traits") or {})}}


@step(lambda request: request)
def handler(request: Any, step: Step) -> Answer | Refusal:
    """Lambda entry point."""
    return understood(_create)(request, step)
