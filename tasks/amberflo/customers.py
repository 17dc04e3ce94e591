"""Amberflo's customers: look one up, create one."""

from typing import Any, Final

from amberflo_workflows.tasks.amberflo.client import AmberfloClient
from amberflo_workflows.tasks.amberflo.errors import AmberfloClientError

# Fields that only Amberflo sets.
_READ_ONLY_FIELDS: Final = frozenset({"id", "createTime", "updateTime", "deleteTime", "deactivateTimeStamp"})


def get_or_create_customer(amberflo: AmberfloClient, new_customer: dict[str, Any]) -> dict[str, Any]:
    """Return the customer with the ``customerId`` of ``new_customer``, which is created if there is none.

    Raises what :meth:`AmberfloClient.call` raises.
    """
    customer = _fetch_customer(amberflo, new_customer["customerId"])
    if customer is not None:
        return customer
    try:
        created = amberflo.call("POST", "/customers", new_customer)
    except AmberfloClientError:
        # Another event of the same tenant may have created it in the meantime.
        customer = _fetch_customer(amberflo, new_customer["customerId"])
        if customer is None:
            raise
        return customer
    return created if isinstance(created, dict) and created else new_customer


def writable_fields(customer: dict[str, Any]) -> dict[str, Any]:
    """Return a customer as read, without the fields that only Amberflo sets."""
    return {name: value for name, value in customer.items() if name not in _READ_ONLY_FIELDS}


def _fetch_customer(amberflo: AmberfloClient, customer_id: str) -> dict[str, Any] | None:
    """Return the customer, or ``None`` if there is none, for which Amberflo returns ``{}``."""
    customer = amberflo.call("GET", "/customers/", params={"customerId": customer_id})
    return customer if isinstance(customer, dict) and customer.get("customerId") else None
