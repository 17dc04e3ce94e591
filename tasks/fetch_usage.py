"""Query Amberflo for usage.

Request: ``{"question", "meterApiName"}``. The workflow looks up the latter if the caller did not pass it. The question
is the query of ``GET /usage/{meterId}``, flat, as strings or typed: ``meterId``, ``meterApiName``,
``startTimeInSeconds``, ``endTimeInSeconds``, ``timeGroupingInterval``, ``aggregation``, ``groupBy`` (a list, or comma
separated), ``filter.KEY`` (a value, or a list of values), ``tenantId`` (short for ``filter.customerId``), ``take``.
Response: 200 with Amberflo's report, or a claim to it if it is large; 400, also if the name that the caller passed is
not that of the meter with the id; 404; 413 if it is larger than a response may be.

The value of a filter is taken as it is: a comma may be part of a tenant's name. An empty one is a 400, since without
the filter one customer would see the usage of all.
"""

from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from amberflo_workflows.core.canonical import normalize_text
from amberflo_workflows.core.claim_check import store_if_large
from amberflo_workflows.core.meter import ApiName, MeterId
from amberflo_workflows.core.response import ClaimResponse, StepResponse, success
from amberflo_workflows.tasks.amberflo.errors import AmberfloUnavailable
from amberflo_workflows.tasks.amberflo.meter_lookup import check_meter_name
from amberflo_workflows.tasks.amberflo.time_range import Interval, Seconds, build_time_range
from amberflo_workflows.tasks.step import Step, step

# The end of the message of a 413.
TOO_LARGE_ADVICE: Final = (
    "Use a shorter range, a longer timeGroupingInterval, fewer groups (take, filter.KEY) or no groupBy."
)

# If these were ignored when empty, the report would have more than the caller limited it to.
_LIMITS: Final = ("startTimeInSeconds", "endTimeInSeconds", "take")

Aggregation = Literal["SUM", "COUNT", "MIN", "MAX"]


class UsageQuestion(Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """The query, without its filters."""

    meter_id: MeterId | None = None
    meter_api_name: ApiName
    start_time_in_seconds: Seconds | None = None
    end_time_in_seconds: Seconds | None = None
    time_grouping_interval: Interval = "DAY"
    aggregation: Aggregation | None = None
    group_by: list[str] | None = None
    take: Annotated[int, Meta(ge=1, le=100_000)] | None = None


class MeterQuery(NamedTuple):
    """The body of Amberflo's ``POST /usage``, and the id of the meter if its name is not from a look-up by this id."""

    body: dict[str, Any]
    unchecked_id: str | None


def _build_query(request: Any) -> MeterQuery:
    members = msgspec.convert(request["question"], dict[str, Any])
    parameters = members | {"meterApiName": request["meterApiName"]}
    filters = _build_filters(parameters)
    fields = {
        name: value for name, value in parameters.items() if name != "tenantId" and not name.startswith("filter.")
    }
    for name in _LIMITS:
        if fields.get(name) == "":
            raise msgspec.ValidationError(f"It is empty. Set a value or omit it - at `$.{name}`")
    if isinstance(fields.get("groupBy"), str):
        fields["groupBy"] = _split(fields["groupBy"])
    for name in ("timeGroupingInterval", "aggregation"):
        if isinstance(fields.get(name), str):
            fields[name] = fields[name].upper()
    question = msgspec.convert(fields, UsageQuestion, strict=False)
    body: dict[str, Any] = {
        "meterApiName": question.meter_api_name,
        "timeRange": build_time_range(question.start_time_in_seconds, question.end_time_in_seconds),
        "timeGroupingInterval": question.time_grouping_interval,
    }
    # Without it Amberflo uses the meter's own aggregation; a default of ours would be wrong for distinct counts.
    if question.aggregation:
        body["aggregation"] = question.aggregation
    if question.group_by:
        body["groupBy"] = [normalize_text(name) for name in question.group_by]
    if filters:
        body["filter"] = filters
    if question.take:
        body["take"] = {"limit": question.take, "isAscending": False}
    return MeterQuery(body, question.meter_id if members.get("meterApiName") else None)


def _build_filters(parameters: dict[str, Any]) -> dict[str, list[str]]:
    filters = {
        normalize_text(name.removeprefix("filter.")): _parse_values(name, value)
        for name, value in parameters.items()
        if name.startswith("filter.")
    }
    if "tenantId" in parameters:
        tenants = _parse_values("tenantId", parameters["tenantId"])
        if filters.get("customerId", tenants) != tenants:
            raise msgspec.ValidationError("It contradicts `filter.customerId` - at `$.tenantId`")
        filters["customerId"] = tenants
    return filters


def _parse_values(name: str, value: Any) -> list[str]:
    """Return the values of a filter, in the form that records have, and else exactly as they are."""
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(text, str) for text in values):
        raise msgspec.ValidationError(f"It must be text or a list of texts - at `$.{name}`")
    if name == "filter." or not values or not all(text.strip() for text in values):
        raise msgspec.ValidationError(
            f"A filter requires a name and a value. To get the usage of all, omit the filter - at `$.{name}`"
        )
    return [normalize_text(text) for text in values]


def _split(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


@step(_build_query)
def handler(query: MeterQuery, step: Step) -> StepResponse | ClaimResponse:
    if query.unchecked_id is not None:
        error = check_meter_name(step.amberflo, query.unchecked_id, query.body["meterApiName"])
        if error is not None:
            return error
    report = step.amberflo.call("POST", "/usage", query.body)
    if not isinstance(report, dict):
        raise AmberfloUnavailable("Amberflo's response to POST /usage is not a report.")
    return store_if_large(success(200, report), step.execution.name, advice=TOO_LARGE_ADVICE)
