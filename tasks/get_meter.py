"""Read one meter.

Request: ``{"meterId"}``; other members are left alone, since workflows that look a meter up pass their whole
request. Answer: 200 with the meter, or 404.
"""

from typing import Any

import msgspec

from amberflo_workflows.tasks.amberflo.client import path
from amberflo_workflows.tasks.amberflo.errors import AmberfloRefused
from amberflo_workflows.tasks.answers import Answer, problem, success
from amberflo_workflows.tasks.meters import MeterId, is_meter
from amberflo_workflows.tasks.step import Step, step


class GetMeter(msgspec.Struct, rename="camel"):
    """Which meter."""

    meter_id: MeterId


def _request(request: Any) -> GetMeter:
    return msgspec.convert(request, GetMeter)


@step(_request)
def handler(request: GetMeter, step: Step) -> Answer:
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
