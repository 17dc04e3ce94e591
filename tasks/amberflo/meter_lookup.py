"""Look up whether a meter exists, by its name, or by its id and its name."""

from typing import Any, Final

from amberflo_workflows.core.meter import is_meter
from amberflo_workflows.core.response import StepResponse, error_response, field_error_response
from amberflo_workflows.tasks.amberflo.client import AmberfloClient, build_path
from amberflo_workflows.tasks.amberflo.errors import AmberfloClientError

MAX_CACHED_METERS: Final = 10_000
# The names of meters by id, as this process last read them. Only a difference requires another call.
_names: dict[str, str] = {}


def has_meter(amberflo: AmberfloClient, meter_api_name: str) -> bool:
    """Return whether there is a meter with the name. Raises what :meth:`AmberfloClient.call` raises."""
    meters = amberflo.call("GET", "/meters", params={"meterApiName": meter_api_name})
    return isinstance(meters, list) and any(
        is_meter(meter) and meter["meterApiName"] == meter_api_name for meter in meters
    )


def check_meter_name(amberflo: AmberfloClient, meter_id: str, meter_api_name: str) -> StepResponse | None:
    """Return ``None`` if the meter has this id and name, else 404 or 400. Raises what :func:`has_meter` raises."""
    if _names.get(meter_id) == meter_api_name:
        return None
    meter = _fetch_meter(amberflo, meter_id)
    if not is_meter(meter):
        return error_response(404, f"The meter '{meter_id}' was not found.")
    if meter["meterApiName"] != meter_api_name:
        return field_error_response("meterApiName", f"It is not the name of the meter '{meter_id}'")
    if len(_names) >= MAX_CACHED_METERS:
        _names.clear()
    _names[meter_id] = meter_api_name
    return None


def _fetch_meter(amberflo: AmberfloClient, meter_id: str) -> Any:
    try:
        return amberflo.call("GET", build_path("meters", meter_id))
    except AmberfloClientError as error:
        if error.status != 404:
            raise
        return None
