"""Create a meter.

Request: a meter (:class:`~amberflo_workflows.core.meter.NewMeter`). Response: 201 with the meter, 400, or 409 if its
name or label is taken.
"""

from datetime import datetime
from typing import Any

import msgspec

from amberflo_workflows.core.meter import NewMeter, is_meter, parse_new_meter
from amberflo_workflows.core.response import StepResponse, success
from amberflo_workflows.tasks.amberflo.errors import AmberfloClientError
from amberflo_workflows.tasks.step import Step, step


@step(parse_new_meter)
def handler(meter: NewMeter, step: Step) -> StepResponse:
    try:
        created = step.amberflo.call("POST", "/meters", meter)
    except AmberfloClientError as error:
        created = _fetch_from_earlier_attempt(meter, step)
        if created is None:
            raise error from None
    return success(201, created if is_meter(created) else _fetch(meter, step))


def _fetch_from_earlier_attempt(meter: NewMeter, step: Step) -> Any:
    """Return the meter that an earlier attempt of this execution created, if the response of that attempt was lost."""
    if not step.is_repeated:
        return None
    existing = _fetch(meter, step)
    if not is_meter(existing) or not _has_same_definition(existing, meter):
        return None
    started_in_millis = datetime.fromisoformat(step.execution.start_time).timestamp() * 1000
    return existing if existing.get("createTime", 0) >= started_in_millis else None


def _fetch(meter: NewMeter, step: Step) -> Any:
    meters = step.amberflo.call("GET", "/meters", params={"meterApiName": meter.meter_api_name})
    return meters[0] if isinstance(meters, list) and meters else None


def _has_same_definition(existing: dict[str, Any], meter: NewMeter) -> bool:
    fields = msgspec.to_builtins(meter)
    return all(existing.get(name) == fields[name] for name in ("label", "meterApiName", "meterType"))
