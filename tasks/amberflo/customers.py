"""Amberflo's customers: look one up, create one."""

from typing import Any, Final, TypeGuard

from amberflo_workflows.core.tenant import format_millis
from amberflo_workflows.tasks.amberflo.client import AmberfloClient
from amberflo_workflows.tasks.amberflo.errors import AmberfloClientError

LAST_STAGE: Final = "OFFBOARDED"
# Traits with the times of the latest events, since events may be delivered late, again, and in another order.
ONBOARDED_AT: Final = "onboardedAt"
OFFBOARDED_AT: Final = "offboardedAt"
# Fields that only Amberflo sets.
_READ_ONLY_FIELDS: Final = frozenset({"id", "createTime", "updateTime", "deleteTime", "deactivateTimeStamp"})


def get_or_create_customer(amberflo: AmberfloClient, new_customer: dict[str, Any]) -> dict[str, Any]:
    """Return the customer with the ``customerId`` of ``new_customer``, which is created if there is none.

    Raises what :meth:`AmberfloClient.call` raises.
    """
    customer = fetch_customer(amberflo, new_customer["customerId"])
    if customer is not None:
        return customer
    try:
        created = amberflo.call("POST", "/customers", new_customer)
    except AmberfloClientError:
        # Another event of the same tenant may have created it in the meantime.
        customer = fetch_customer(amberflo, new_customer["customerId"])
        if customer is None:
            raise
        return customer
    return created if isinstance(created, dict) and created else new_customer


def writable_fields(customer: dict[str, Any]) -> dict[str, Any]:
    """Return a customer as read, without the fields that only Amberflo sets."""
    return {name: value for name, value in customer.items() if name not in _READ_ONLY_FIELDS}


def is_customer(response: object) -> TypeGuard[dict[str, Any]]:
    """Whether a response of Amberflo is a customer."""
    return isinstance(response, dict) and bool(response.get("customerId"))


def is_offboarded(customer: dict[str, Any]) -> bool:
    """Whether a customer is in the last lifecycle stage."""
    return str(customer.get("lifecycleStage", "")).upper() == LAST_STAGE


def offboarding_time(customer: dict[str, Any]) -> str:
    """Return when a customer was offboarded, in the format of a tenant's ``event_time``.

    For a customer that was offboarded by version 0.1 or in Amberflo's console, it is the time of its last change.
    """
    if offboarded_at := (customer.get("traits") or {}).get(OFFBOARDED_AT):
        return str(offboarded_at)
    update_time = customer.get("updateTime")
    return format_millis(update_time) if isinstance(update_time, int) else ""


def fetch_customer(amberflo: AmberfloClient, customer_id: str) -> dict[str, Any] | None:
    """Return the customer, or ``None`` if there is none, for which Amberflo returns ``{}``."""
    customer = amberflo.call("GET", "/customers/", params={"customerId": customer_id})
    return customer if is_customer(customer) else None
