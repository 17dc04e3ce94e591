"""Read one meter.

Request: ``{"meterId", …}``. Answer: 200 with the meter, 404, or 413 for one that no workflow could carry.
"""

from amberflo_workflows.core.meter import MAX_METER_BYTES, MeterReference, is_meter, parse_meter_reference
from amberflo_workflows.core.response import PayloadTooLarge, StepResponse, error_response, json_size, success
from amberflo_workflows.tasks.amberflo.client import path
from amberflo_workflows.tasks.amberflo.errors import AmberfloClientError
from amberflo_workflows.tasks.step import Step, step


@step(parse_meter_reference)
def handler(request: MeterReference, step: Step) -> StepResponse:
    try:
        meter = step.amberflo.call("GET", path("meters", request.meter_id))
    except AmberfloClientError as refusal:
        if refusal.status != 404:
            raise
        meter = None
    if not is_meter(meter):
        return error_response(404, f"There is no meter with the id '{request.meter_id}'.")
    size = json_size(meter)
    if size > MAX_METER_BYTES:
        raise PayloadTooLarge(f"The meter has {size:,} bytes; {MAX_METER_BYTES:,} can be carried. List it instead.")
    return success(200, meter)
