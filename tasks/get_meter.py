"""Read one meter.

Request: ``{"meterId", …}``. Answer: 200 with the meter, 404, or 413 for one that no workflow could carry.
"""

from amberflo_workflows.core.meter import LARGEST_METER_BYTES, MeterReference, is_meter, meter_reference
from amberflo_workflows.core.response import Answer, TooLarge, problem, size_of, success
from amberflo_workflows.tasks.amberflo.client import path
from amberflo_workflows.tasks.amberflo.errors import AmberfloRefused
from amberflo_workflows.tasks.step import Step, step


@step(meter_reference)
def handler(request: MeterReference, step: Step) -> Answer:
    """Lambda entry point."""
    try:
        meter = step.amberflo.call("GET", path("meters", request.meter_id))
    except AmberfloRefused as refusal:
        if refusal.status != 404:
            raise
        meter = None
    if not is_meter(meter):
        return problem(404, f"There is no meter with the id '{request.meter_id}'.")
    size = size_of(meter)
    if size > LARGEST_METER_BYTES:
        raise TooLarge(f"The meter has {size:,} bytes; {LARGEST_METER_BYTES:,} can be carried. List it instead.")
    return success(200, meter)
