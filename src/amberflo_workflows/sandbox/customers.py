"""Customers: a PUT replaces all fields, a DELETE hides, and lifecycle stages only move forward."""

import time
from typing import Any, Final

from amberflo_workflows.sandbox.errors import RequestRejected
from amberflo_workflows.sandbox.store import Store

KIND: Final = "customer"
_STAGES: Final = ("ONBOARDING", "TRIAL", "ACTIVE", "OFFBOARDED")


def create_customer(store: Store, body: Any) -> dict[str, Any]:
    """Create a customer. Raises :class:`RequestRejected` if the id exists already (not documented; assumed)."""
    customer = _check(body)
    if customer["customerId"] in store.documents(KIND):
        raise RequestRejected(f"Invalid request: Customer already exists with 'customerId': {customer['customerId']}")
    return _store(store, customer, created=int(time.time() * 1000))


def replace_customer(store: Store, body: Any) -> dict[str, Any]:
    """Replace or create a customer; omitted fields are removed (Amberflo's reference)."""
    customer = _check(body)
    existing = store.documents(KIND).get(customer["customerId"], {})
    return _store(store, customer, created=existing.get("createTime", int(time.time() * 1000)))


def get_customer(store: Store, customer_id: str) -> dict[str, Any]:
    """Return a customer, or ``{}`` if there is none or it is hidden."""
    customer = store.documents(KIND).get(customer_id, {})
    return {} if customer.get("deleteTime") else customer


def list_customers(store: Store) -> list[dict[str, Any]]:
    """Return all customers that are not hidden."""
    return [customer for customer in store.documents(KIND).values() if not customer.get("deleteTime")]


def build_page(store: Store, number: int, limit: int, search: str) -> dict[str, Any]:
    """Return a page of the customers that match a search; the first page is 1."""
    customers = list_customers(store)
    matches = [customer for customer in customers if search.lower() in str(customer).lower()]
    return {
        "items": matches[(number - 1) * limit : number * limit],
        "metadata": {
            "totalRowCount": len(customers),
            "filteredRowCount": len(matches),
            "limit": limit,
            "page": number,
            "totalFilteredPages": -(-len(matches) // limit),
        },
    }


def hide_customer(store: Store, customer_id: str) -> dict[str, Any]:
    """Hide a customer; its usage is not deleted."""
    return _change(store, customer_id, {"deleteTime": int(time.time() * 1000), "lifecycleStage": "OFFBOARDED"})


def reinstate_customer(store: Store, customer_id: str) -> dict[str, Any]:
    """Make a hidden customer visible again; its stage does not change."""
    return _change(store, customer_id, {"deleteTime": None})


def move_customer(store: Store, customer_id: str, stage: str) -> dict[str, Any]:
    """Move a customer to a later stage. Raises :class:`RequestRejected` for an earlier one."""
    target = _parse_stage(stage)
    current = store.documents(KIND).get(customer_id, {}).get("lifecycleStage", _STAGES[0])
    if _STAGES.index(target) < _STAGES.index(current):
        raise RequestRejected(f"Invalid request: Invalid lifecycleStage transition from {current} to {target}")
    return _change(store, customer_id, {"lifecycleStage": target})


def _parse_stage(text: Any) -> str:
    """Return a stage in upper case, as Amberflo does."""
    stage = str(text).upper()
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
    document = {
        "traits": {},
        **customer,
        "lifecycleStage": stage,
        "id": customer["customerId"],
        "createTime": created,
        "updateTime": int(time.time() * 1000),
    }
    store.put_document(KIND, document["id"], document)
    return document


def _change(store: Store, customer_id: str, change: dict[str, Any]) -> dict[str, Any]:
    customer = store.documents(KIND).get(customer_id)
    if customer is None:
        raise RequestRejected(f"Invalid request: customer '{customer_id}' does not exist")
    changed = {**customer, **change, "updateTime": int(time.time() * 1000)}
    store.put_document(KIND, customer_id, changed)
    return changed
