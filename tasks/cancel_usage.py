"""Cancel usage: all of a meter's in a range of *ingestion* time, or single records.

By range: ``{"id", "meterApiName", "ingestionTimeRange": {"startTimeInSeconds", "endTimeInSeconds"}}``. This creates a
filtering rule, which removes every tenant's usage of that meter that was ingested in the range. Amberflo's filter by
property is not documented well enough to be offered. A rule with the same id replaces the earlier one. A range that
ends in the future also removes usage to come, and therefore requires ``"allowFuture": true``.

By record: ``{"records": [usage…]}``, each exactly as it was counted, ``uniqueId`` and time included. Amberflo removes
such a record when it is ingested again with a certain dimension. It does not tell whether it had the record.

Response: 200 with the rule, or with ``{"cancelled": [uniqueId…], "note": str}``; 400; 404 if there is no meter of the
rule's name.
"""

import time
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from amberflo_workflows.core.meter import ApiName
from amberflo_workflows.core.response import StepResponse, error_response, success
from amberflo_workflows.core.usage_record import InvalidUsage, UsageRecord, build_record
from amberflo_workflows.tasks.amberflo.meter_lookup import has_meter
from amberflo_workflows.tasks.amberflo.time_range import Seconds
from amberflo_workflows.tasks.step import Step, step

# The only known rule type (from the npm package).
RULE_TYPE: Final = "by_property_filter_out"
# The dimension that Amberflo's Go SDK sets.
CANCEL_DIMENSION: Final = "aflo.cancel_previous_resource_event"
# The caller's clock may be ahead of ours.
MAX_CLOCK_DIFFERENCE_SECONDS: Final = 5
NOTE: Final = (
    "The cancellations were sent. Amberflo does not tell whether it had these records: if the tenants' totals do not "
    "change within hours, nothing matched."
)


class TimeRange(Struct, rename="camel", forbid_unknown_fields=True):
    """Start (inclusive) and end, in epoch seconds."""

    start_time_in_seconds: Seconds
    end_time_in_seconds: Seconds


class FilteringRule(Struct, rename="camel", forbid_unknown_fields=True):
    """The usage to cancel; the caller chooses the ``id``. With ``allow_future`` the range may end in the future."""

    id: Annotated[str, Meta(min_length=1, max_length=200)]
    meter_api_name: ApiName
    ingestion_time_range: TimeRange
    allow_future: bool = False


class CancelRecords(Struct, forbid_unknown_fields=True):
    """Single usages to cancel."""

    records: Annotated[list[dict[str, Any]], Meta(min_length=1, max_length=100)]


def _parse_request(request: Any) -> FilteringRule | list[UsageRecord]:
    if isinstance(request, dict) and "records" in request:
        usages = msgspec.convert(request, CancelRecords).records
        return [_build_cancellation(usage, index) for index, usage in enumerate(usages)]
    rule = msgspec.convert(request, FilteringRule)
    start, end = rule.ingestion_time_range.start_time_in_seconds, rule.ingestion_time_range.end_time_in_seconds
    if start >= end:
        raise msgspec.ValidationError("The range is empty - at `$.ingestionTimeRange.startTimeInSeconds`")
    now = int(time.time())
    if end > now + MAX_CLOCK_DIFFERENCE_SECONDS and not rule.allow_future:
        raise msgspec.ValidationError(
            f"It is in the future (now is {now}), so that usage to come would not count either. Use an earlier end, "
            "or set allowFuture to true - at `$.ingestionTimeRange.endTimeInSeconds`"
        )
    return rule


def _build_cancellation(usage: dict[str, Any], index: int) -> UsageRecord:
    for member in ("uniqueId", "meterTimeInMillis"):
        if usage.get(member) is None:
            raise msgspec.ValidationError(
                f"It is required to identify the usage that was counted - at `$.records[{index}].{member}`"
            )
    try:
        record = build_record(usage, event_id="", event_time="")
    except InvalidUsage as error:
        raise msgspec.ValidationError(f"{error} - at `$.records[{index}]`") from None
    record.dimensions[CANCEL_DIMENSION] = "true"
    return record


@step(_parse_request)
def handler(request: FilteringRule | list[UsageRecord], step: Step) -> StepResponse:
    if isinstance(request, list):
        step.amberflo.ingest(msgspec.json.encode(request))
        return success(200, {"cancelled": [record.unique_id for record in request], "note": NOTE})
    if not has_meter(step.amberflo, request.meter_api_name):
        return error_response(404, f"There is no meter with the meterApiName '{request.meter_api_name}'.")
    rule = {**msgspec.to_builtins(request), "type": RULE_TYPE}
    del rule["allowFuture"]
    response = step.amberflo.call("POST", "/ingest-snapshot/custom-filtering-rules", rule)
    return success(200, response or rule)
