"""Meters: names and labels are unique, a locking status only moves forward, only deprecated meters can be deleted.

The error messages are those of the live service as third-party clients quote them; these clients match parts of them.
"""

import re
import time
import uuid
from typing import Any, Final

import msgspec

from amberflo_workflows.sandbox.errors import RequestRejected
from amberflo_workflows.sandbox.settings import SandboxSettings
from amberflo_workflows.sandbox.store import Store

KIND: Final = "meter"
TYPES: Final = {
    "sum_of_all_usage": "sum",
    "active_users": "unique_count",
    "event_duration": "duration",
    "max_usage": "max",
    "running_total": "running_total",
    "unique_count": "unique_count",
    "duration_snapshot": "duration",
}
_STRICT_TYPES: Final = {"sum_of_all_usage", "active_users", "event_duration"}
# A status may only change to one with a higher number.
_LOCK_LEVELS: Final = {"open": 0, "close_to_changes": 1, "close_to_deletion": 1, "deprecated": 2}
_LOCKED_FIELDS: Final = ("meterApiName", "meterType")
# Not documented; assumed.
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,50}")
_SERVER_FIELDS: Final = {"id", "createTime", "updateTime", "aggregation", "accountId"}


def create_meter(store: Store, settings: SandboxSettings, body: Any) -> dict[str, Any]:
    """Create a meter with a new id. Raises :class:`RequestRejected`."""
    meter = _check(body, settings)
    _check_unique(store, meter, own_id="")
    return _add_meter(store, meter)


def add_missing_meters(store: Store, names: list[str]) -> None:
    """Add a sum of all usage for each name without a meter; as in Amberflo's own console, a name may be any text."""
    existing = {meter["meterApiName"] for meter in store.documents(KIND).values()}
    for name in sorted(set(names) - existing):
        _add_meter(store, {"label": name, "meterApiName": name, "meterType": "sum_of_all_usage"})


def _add_meter(store: Store, meter: dict[str, Any]) -> dict[str, Any]:
    now = int(time.time() * 1000)
    document = {
        "lockingStatus": "open",
        **{key: value for key, value in meter.items() if key not in _SERVER_FIELDS},
        "id": str(uuid.uuid4()),
        "accountId": "sandbox",
        "aggregation": TYPES[meter["meterType"]],
        "createTime": now,
        "updateTime": now,
    }
    store.put_document(KIND, document["id"], document)
    return document


def update_meter(store: Store, settings: SandboxSettings, body: Any) -> dict[str, Any]:
    """Replace the meter whose id is in the body; without an id, create one. Raises :class:`RequestRejected`."""
    if not isinstance(body, dict) or not body.get("id"):
        return create_meter(store, settings, body)
    existing = store.documents(KIND).get(str(body["id"]))
    if existing is None:
        raise RequestRejected(f"Invalid request: meter '{body['id']}' does not exist")
    meter = _check(body, settings)
    _check_locks(existing, meter)
    _check_unique(store, meter, own_id=existing["id"])
    document = {
        "lockingStatus": existing["lockingStatus"],
        **{key: value for key, value in meter.items() if key not in _SERVER_FIELDS},
        **{key: existing[key] for key in ("id", "accountId", "createTime")},
        "aggregation": TYPES[meter["meterType"]],
        "updateTime": int(time.time() * 1000),
    }
    store.put_document(KIND, document["id"], document)
    return document


def list_meters(store: Store, meter_api_name: str | None, label: str | None) -> list[dict[str, Any]]:
    """Return all meters, or those with a name or label."""
    return [
        meter
        for meter in store.documents(KIND).values()
        if meter_api_name in {None, meter["meterApiName"]} and label in {None, meter["label"]}
    ]


def delete_meter(store: Store, meter_id: str) -> dict[str, Any]:
    """Delete a deprecated meter and return it; ``{}`` for an unknown id. Raises :class:`RequestRejected`."""
    meter = store.documents(KIND).get(meter_id)
    if meter is None:
        return {}
    if meter["lockingStatus"] != "deprecated":
        raise RequestRejected(
            f"Invalid request: 'lockingStatus' {meter['lockingStatus']} prevents meter from being deleted."
        )
    store.delete_document(KIND, meter_id)
    return meter


def _check(body: Any, settings: SandboxSettings) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise RequestRejected("Invalid request: the body must be an object")
    for field in ("label", "meterApiName", "meterType"):
        if not isinstance(body.get(field), str) or not body[field]:
            raise RequestRejected(f"Invalid request: '{field}' is required")
    if body["meterType"] not in (_STRICT_TYPES if settings.strict else TYPES):
        raise RequestRejected("Invalid request: Invalid meter type")
    if not _NAME.fullmatch(body["meterApiName"]):
        raise RequestRejected("Invalid request: 'meterApiName' is too long or has an invalid character")
    if body["meterType"] == "active_users" and not body.get("aggregationDimensions"):
        raise RequestRejected("Invalid request: 'aggregationDimensions' is required")
    for field in ("dimensions", "aggregationDimensions"):
        msgspec.convert(body.get(field), list[str] | None)
    if body.get("lockingStatus", "open") not in [*_LOCK_LEVELS]:
        raise RequestRejected("Invalid request: Invalid lockingStatus")
    return body


def _check_unique(store: Store, meter: dict[str, Any], own_id: str) -> None:
    for other in store.documents(KIND).values():
        if other["id"] == own_id:
            continue
        if other["meterApiName"] == meter["meterApiName"]:
            raise RequestRejected(f"Invalid request: Meter already exists with 'meterApiName': {meter['meterApiName']}")
        if other["label"] == meter["label"]:
            raise RequestRejected(f"Invalid request: Meter already exists with 'label': {meter['label']}")


def _check_locks(existing: dict[str, Any], meter: dict[str, Any]) -> None:
    old, new = existing["lockingStatus"], meter.get("lockingStatus", existing["lockingStatus"])
    if _LOCK_LEVELS[new] < _LOCK_LEVELS[old] or (_LOCK_LEVELS[new] == _LOCK_LEVELS[old] and new != old):
        raise RequestRejected(f"Invalid request: Invalid lockingStatus transition from {old} to {new}")
    if old != "open" and any(existing[field] != meter[field] for field in _LOCKED_FIELDS):
        raise RequestRejected(f"Invalid request: 'lockingStatus' {old} prevents meter from being changed.")
