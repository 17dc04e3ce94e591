"""Read one meter.

Request: ``{"meterId", …}``. Answer: 200 with the meter, or 404.
"""

from amberflo_workflows.tasks.amberflo.client import path
from amberflo_workflows.tasks.amberflo.errors import AmberfloRefused
from amberflo_workflows.tasks.answers import Answer, problem, success
from amberflo_workflows.tasks.meters import MeterReference, is_meter, meter_reference
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
    return success(200, meter)
