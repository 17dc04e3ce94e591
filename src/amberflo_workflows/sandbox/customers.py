"""Customers: replaced whole by a PUT, hidden rather than deleted, moved forward through their stages."""

import time
from typing import Any, Final

from amberflo_workflows.sandbox.errors import RequestRejected
from amberflo_workflows.sandbox.store import Store

KIND: Final = "customer"
_STAGES: Final = ("ONBOARDING", "TRIAL", "ACTIVE", "OFFBOARDED")


def create_customer(store: Store, body: Any) -> dict[str, Any]:
    """Make a customer. Raises :class:`RequestRejected` when the id is taken (not documented; assumed)."""
    customer = _check(body)
    if customer["customerId"] in store.documents(KIND):
        raise RequestRejected(f"Invalid request: Customer already exists with 'customerId': {customer['customerId']}")
    return _store(store, customer, created=int(time.time() * 1000))


def replace_customer(store: Store, body: Any) -> dict[str, Any]:
    """Replace a customer whole, or make it: what is left out is lost (Amberflo's reference)."""
    customer = _check(body)
    found = store.documents(KIND).get(customer["customerId"], {})
    return _store(store, customer, created=found.get("createTime", int(time.time() * 1000)))


def get_customer(store: Store, customer_id: str) -> dict[str, Any]:
    """A customer, or ``{}``."""
    found = store.documents(KIND).get(customer_id, {})
    return {} if found.get("deleteTime") else found


def list_customers(store: Store) -> list[dict[str, Any]]:
    """All that are not hidden."""
    return [customer for customer in store.documents(KIND).values() if not customer.get("deleteTime")]


def build_page(store: Store, number: int, limit: int, search: str) -> dict[str, Any]:
    """A page of customers, the first being 1."""
    everyone = list_customers(store)
    found = [customer for customer in everyone if search.lower() in str(customer).lower()]
    return {
        "items": found[(number - 1) * limit : number * limit],
        "metadata": {
            "totalRowCount": len(everyone),
            "filteredRowCount": len(found),
            "limit": limit,
            "page": number,
            "totalFilteredPages": -(-len(found) // limit),
        },
    }


def hide_customer(store: Store, customer_id: str) -> dict[str, Any]:
    """Hide a customer; its usage stays."""
    return _change(store, customer_id, {"deleteTime": int(time.time() * 1000), "lifecycleStage": "OFFBOARDED"})


def reinstate_customer(store: Store, customer_id: str) -> dict[str, Any]:
    """Show a hidden customer again; its stage stays what it is."""
    return _change(store, customer_id, {"deleteTime": None})


def move_customer(store: Store, customer_id: str, stage: str) -> dict[str, Any]:
    """Move a customer to a later stage. Raises :class:`RequestRejected` for an earlier one."""
    wanted = _parse_stage(stage)
    current = store.documents(KIND).get(customer_id, {}).get("lifecycleStage", _STAGES[0])
    if _STAGES.index(wanted) < _STAGES.index(current):
        raise RequestRejected(f"Invalid request: Invalid lifecycleStage transition from {current} to {wanted}")
    return _change(store, customer_id, {"lifecycleStage": wanted})


def _parse_stage(given: Any) -> str:
    """A stage in Amberflo's upper case."""
    stage = str(given).upper()
    if stage not in _STAGES:
        raise RequestRejected("Invalid request: Invalid lifecycleStage")
    return stage


def _check(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict) or not all(
        isinstance(body.get(field), str) and body[field] for field in ("customerId", "customerName")
    ):
        raise RequestRejected("Invalid request: 'customerId' and 'customerName' are required")
    return body


def _store(store: Store, customer: dict[str, Any], created: int) -> dict[str, Any]:
    stage = _parse_stage(customer.get("lifecycleStage") or _STAGES[0])
    made = {
        "traits": {},
        **customer,
        "lifecycleStage": stage,
        "id": customer["customerId"],
        "createTime": created,
        "updateTime": int(time.time() * 1000),
    }
    store.put_document(KIND, made["id"], made)
    return made


def _change(store: Store, customer_id: str, change: dict[str, Any]) -> dict[str, Any]:
    found = store.documents(KIND).get(customer_id)
    if found is None:
        raise RequestRejected(f"Invalid request: customer '{customer_id}' does not exist")
    made = {**found, **change, "updateTime": int(time.time() * 1000)}
    store.put_document(KIND, customer_id, made)
    return made
