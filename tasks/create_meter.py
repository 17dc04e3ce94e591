"""Create a meter.

Request: a meter (:class:`~amberflo_workflows.core.meter.NewMeter`). Answer: 201 with the meter, 400, or 409
when its name or label is taken.
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
    except AmberfloClientError as refusal:
        created = _made_by_an_earlier_try(meter, step)
        if created is None:
            raise refusal from None
    return success(201, created if is_meter(created) else _find(meter, step))


def _made_by_an_earlier_try(meter: NewMeter, step: Step) -> Any:
    """The meter that this very execution made, if an earlier try's answer was lost on its way back."""
    if step.retry_count == 0:
        return None
    found = _find(meter, step)
    if not is_meter(found) or not _same_definition(found, meter):
        return None
    started = datetime.fromisoformat(step.execution.start_time).timestamp() * 1000
    return found if found.get("createTime", 0) >= started else None


def _find(meter: NewMeter, step: Step) -> Any:
    found = step.amberflo.call("GET", "/meters", params={"meterApiName": meter.meter_api_name})
    return found[0] if isinstance(found, list) and found else None


def _same_definition(found: dict[str, Any], meter: NewMeter) -> bool:
    wanted = msgspec.to_builtins(meter)
    return all(found.get(key) == wanted[key] for key in ("label", "meterApiName", "meterType"))
