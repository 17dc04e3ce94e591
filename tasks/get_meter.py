"""Read one meter.

Request: ``{"meterId", …}``. Response: 200 with the meter, 404, or 413 if it is too large for a workflow.
"""

from amberflo_workflows.core.meter import MAX_METER_BYTES, MeterReference, is_meter, parse_meter_reference
from amberflo_workflows.core.response import PayloadTooLarge, StepResponse, error_response, json_size, success
from amberflo_workflows.tasks.amberflo.client import build_path
from amberflo_workflows.tasks.amberflo.errors import AmberfloClientError
from amberflo_workflows.tasks.step import Step, step


@step(parse_meter_reference)
def handler(request: MeterReference, step: Step) -> StepResponse:
    try:
        meter = step.amberflo.call("GET", build_path("meters", request.meter_id))
    except AmberfloClientError as error:
        if error.status != 404:
            raise
        meter = None
    if not is_meter(meter):
        return error_response(404, f"The meter '{request.meter_id}' was not found.")
    size = json_size(meter)
    if size > MAX_METER_BYTES:
        raise PayloadTooLarge(
            f"The meter has {size:,} bytes; the limit is {MAX_METER_BYTES:,}. Use the list of meters instead."
        )
    return success(200, meter)
