"""Delete a meter that is deprecated already; the workflow sees to that.

Request: ``{"meterId", …}``. Answer: 200 with what Amberflo says of the meter, or 409 when its lock forbids it.
"""

from amberflo_workflows.core.meter import MeterReference, parse_meter_reference
from amberflo_workflows.core.response import StepResponse, success
from amberflo_workflows.tasks.amberflo.client import path
from amberflo_workflows.tasks.step import Step, step


@step(parse_meter_reference)
def handler(request: MeterReference, step: Step) -> StepResponse:
    deleted = step.amberflo.call("DELETE", path("meters", request.meter_id))
    return success(200, deleted or {"id": request.meter_id})
