"""Cancel usage: by a filtering rule over a range of *ingestion* time, or single records by re-ingest.

By range: ``{"id", "meterApiName", "ingestionTimeRange": {"startTimeInSeconds", "endTimeInSeconds"}}``. The rule
takes away every tenant's usage of that meter that was ingested in the range; Amberflo's filter by property is not
documented well enough to be sent. A rule with the same id replaces the earlier one.

By record: ``{"records": [usage…]}``, each exactly as it was counted, ``uniqueId`` and time included. Amberflo
takes such a record away when it comes again with a certain dimension.

Answer: 200 with the rule, or with ``{"cancelled": [uniqueId…]}``; 400.
"""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from amberflo_workflows.core.meter import ApiName
from amberflo_workflows.core.response import StepResponse, success
from amberflo_workflows.core.usage_record import InvalidUsage, UsageRecord, build_record
from amberflo_workflows.tasks.fetch_usage import Seconds
from amberflo_workflows.tasks.step import Step, step

# The only rule type that is known (from the npm package).
RULE_TYPE: Final = "by_property_filter_out"
# The marker of Amberflo's Go SDK.
CANCEL_DIMENSION: Final = "aflo.cancel_previous_resource_event"


class TimeRange(Struct, rename="camel", forbid_unknown_fields=True):
    """From, inclusive, and until."""

    start_time_in_seconds: Seconds
    end_time_in_seconds: Seconds


class FilteringRule(Struct, rename="camel", forbid_unknown_fields=True):
    """What is cancelled, under an id of the caller's choice."""

    id: Annotated[str, Meta(min_length=1, max_length=200)]
    meter_api_name: ApiName
    ingestion_time_range: TimeRange


class CancelRecords(Struct, forbid_unknown_fields=True):
    """Single usages to take back."""

    records: Annotated[list[dict[str, Any]], Meta(min_length=1, max_length=100)]


def _request(request: Any) -> FilteringRule | list[UsageRecord]:
    if isinstance(request, dict) and "records" in request:
        given = msgspec.convert(request, CancelRecords).records
        return [_cancelling(usage, position) for position, usage in enumerate(given)]
    rule = msgspec.convert(request, FilteringRule)
    if rule.ingestion_time_range.start_time_in_seconds >= rule.ingestion_time_range.end_time_in_seconds:
        raise msgspec.ValidationError("The range is empty - at `$.ingestionTimeRange.startTimeInSeconds`")
    return rule


def _cancelling(usage: dict[str, Any], position: int) -> UsageRecord:
    for needed in ("uniqueId", "meterTimeInMillis"):
        if usage.get(needed) is None:
            raise msgspec.ValidationError(
                f"It is needed to find the usage that was counted - at `$.records[{position}].{needed}`"
            )
    try:
        record = build_record(usage, event_id="", event_time="")
    except InvalidUsage as refusal:
        raise msgspec.ValidationError(f"{refusal} - at `$.records[{position}]`") from None
    record.dimensions[CANCEL_DIMENSION] = "true"
    return record


@step(_request)
def handler(request: FilteringRule | list[UsageRecord], step: Step) -> StepResponse:
    if isinstance(request, list):
        step.amberflo.ingest(msgspec.json.encode(request))
        return success(200, {"cancelled": [record.unique_id for record in request]})
    rule = {**msgspec.to_builtins(request), "type": RULE_TYPE}
    answered = step.amberflo.call("POST", "/ingest-snapshot/custom-filtering-rules", rule)
    return success(200, answered or rule)
