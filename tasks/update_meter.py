"""Change a meter: the fields given replace those of the meter as read, the others stay.

Amberflo's own update replaces the whole meter, and creates one if the id is left out; so the workflow reads the
meter first and this step sends it back with the changes in it.

Event beside the request: ``"meter"``, as read. Request: ``{"meterId", …fields}``. Answer: 200 with the meter,
400, 404, or 409 when the meter's lock forbids the change.
"""

from typing import Any, NamedTuple

import msgspec

from amberflo_workflows.core.meter import MeterFields, MeterId, is_meter, parse_meter_changes, writable_fields
from amberflo_workflows.core.response import StepResponse, field_error_response, success
from amberflo_workflows.tasks.step import Step, step


class UpdateMeter(NamedTuple):
    """Which meter, as it is, and what to change in it."""

    meter_id: str
    meter: dict[str, Any]
    changes: MeterFields


def _request(request: Any) -> UpdateMeter:
    given = msgspec.convert(request, dict[str, Any])
    caller = dict(given["change"]) if isinstance(given.get("change"), dict) else {}
    meter_id = msgspec.convert(caller.pop("meterId", None), MeterId)
    return UpdateMeter(meter_id, given["meter"], parse_meter_changes(caller))


@step(_request)
def handler(request: UpdateMeter, step: Step) -> StepResponse:
    if isinstance(request.changes.id, str) and request.changes.id != request.meter_id:
        return field_error_response("id", "It disagrees with the id in the path")
    changed = writable_fields(request.meter) | msgspec.to_builtins(request.changes) | {"id": request.meter_id}
    # Amberflo may answer a list as null and yet refuse a null list.
    for field in ("dimensions", "aggregationDimensions"):
        changed[field] = changed.get(field) or []
    updated = step.amberflo.call("PUT", "/meters", changed)
    return success(200, updated if is_meter(updated) else changed)
