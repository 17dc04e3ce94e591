"""Delete a meter that is already deprecated; the workflow deprecates it first.

Request: ``{"meterId", …}``. Response: 200 with what Amberflo returns for the meter, 404, or 409 if its lock forbids
deletion. A meter that an earlier attempt of this execution deleted is a 200.
"""

from amberflo_workflows.core.meter import MeterReference, parse_meter_reference
from amberflo_workflows.core.response import StepResponse, success
from amberflo_workflows.tasks.amberflo.client import build_path
from amberflo_workflows.tasks.amberflo.errors import AmberfloClientError
from amberflo_workflows.tasks.step import Step, step


@step(parse_meter_reference)
def handler(request: MeterReference, step: Step) -> StepResponse:
    try:
        deleted = step.amberflo.call("DELETE", build_path("meters", request.meter_id))
    except AmberfloClientError as error:
        if error.status != 404 or not step.is_repeated:
            raise
        deleted = None
    return success(200, deleted or {"id": request.meter_id})
