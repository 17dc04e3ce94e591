"""Change a meter: the fields of the request replace those of the meter, the others stay.

Amberflo's own update replaces the complete meter, and creates one if the id is left out. So the workflow reads the
meter first, and this step sends it back with the changes.

Request: ``{"change": {"meterId", …fields}, "meter"}``, the latter as read. Response: 200 with the meter, 400, 404, or
409 if the meter's lock forbids the change.
"""

from typing import Any, NamedTuple

import msgspec

from amberflo_workflows.core.meter import MeterFields, MeterId, is_meter, parse_meter_changes, writable_fields
from amberflo_workflows.core.response import StepResponse, field_error_response, success
from amberflo_workflows.tasks.amberflo.client import build_path
from amberflo_workflows.tasks.amberflo.errors import AmberfloClientError
from amberflo_workflows.tasks.step import Step, step


class UpdateMeter(NamedTuple):
    """The meter as read, and what to change."""

    meter_id: str
    meter: dict[str, Any]
    changes: MeterFields


def _parse_request(request: Any) -> UpdateMeter:
    members = msgspec.convert(request, dict[str, Any])
    change = dict(members["change"]) if isinstance(members.get("change"), dict) else {}
    meter_id = msgspec.convert(change.pop("meterId", None), MeterId)
    return UpdateMeter(meter_id, members["meter"], parse_meter_changes(change))


@step(_parse_request)
def handler(request: UpdateMeter, step: Step) -> StepResponse:
    if isinstance(request.changes.id, str) and request.changes.id != request.meter_id:
        return field_error_response("id", "It contradicts the id in the path")
    changed = writable_fields(request.meter) | msgspec.to_builtins(request.changes) | {"id": request.meter_id}
    # Amberflo may return null for a list, and reject it in a request.
    for field in ("dimensions", "aggregationDimensions"):
        changed[field] = changed.get(field) or []
    try:
        updated = step.amberflo.call("PUT", "/meters", changed)
    except AmberfloClientError as error:
        updated = _fetch_from_earlier_attempt(changed, step)
        if updated is None:
            raise error from None
    return success(200, updated if is_meter(updated) else changed)


def _fetch_from_earlier_attempt(changed: dict[str, Any], step: Step) -> Any:
    """Return the meter if an earlier attempt of this execution changed it, and the response of that was lost.

    Amberflo rejects the second attempt if the first one locked the meter.
    """
    if not step.is_repeated:
        return None
    meter = step.amberflo.call("GET", build_path("meters", changed["id"]))
    if not is_meter(meter):
        return None
    return meter if all((meter.get(name) or None) == (value or None) for name, value in changed.items()) else None
