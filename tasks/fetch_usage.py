"""Ask Amberflo how much was used.

Request: ``{"question", "meterApiName"}``, the latter as given or as the workflow looked it up. The question is the
query of ``GET /usage/{meterId}``, flat, as strings or typed: ``meterId``, ``meterApiName``, ``startTimeInSeconds``,
``endTimeInSeconds``, ``timeGroupingInterval``, ``aggregation``, ``groupBy`` (comma separated), ``filter.KEY`` (comma
separated), ``tenantId`` (short for ``filter.customerId``), ``take``. Answer: 200 with Amberflo's report, or a claim to
it if it is large; 400; 413 when it is larger than an answer may be.
"""

import time
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from amberflo_workflows.core.claim_check import store_if_large
from amberflo_workflows.core.meter import ApiName
from amberflo_workflows.core.response import ClaimResponse, StepResponse, success
from amberflo_workflows.tasks.amberflo.errors import AmberfloUnavailable
from amberflo_workflows.tasks.step import Step, step

DEFAULT_RANGE_SECONDS: Final = 24 * 60 * 60
NARROWER: Final = (
    "Ask for a shorter range, a longer timeGroupingInterval, fewer groups (take, filter.KEY) or no groupBy."
)

# Epoch seconds until the year 2286. A time in milliseconds is past that, and refused instead of misread.
Seconds = Annotated[int, Meta(ge=0, lt=10_000_000_000)]
Interval = Literal["HOUR", "DAY", "WEEK", "MONTH"]
Aggregation = Literal["SUM", "COUNT", "MIN", "MAX"]


class UsageQuestion(Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """The request, less its filters."""

    meter_id: str | None = None
    meter_api_name: ApiName
    start_time_in_seconds: Seconds | None = None
    end_time_in_seconds: Seconds | None = None
    time_grouping_interval: Interval = "DAY"
    aggregation: Aggregation | None = None
    group_by: list[str] | None = None
    take: Annotated[int, Meta(ge=1, le=100_000)] | None = None


def _request(request: Any) -> dict[str, Any]:
    """The body of Amberflo's ``POST /usage``."""
    given = msgspec.convert(request["question"], dict[str, Any]) | {"meterApiName": request["meterApiName"]}
    filters = _filters(given)
    plain = {key: value for key, value in given.items() if key != "tenantId" and not key.startswith("filter.")}
    if isinstance(plain.get("groupBy"), str):
        plain["groupBy"] = _listed(plain["groupBy"])
    for enumerated in ("timeGroupingInterval", "aggregation"):
        if isinstance(plain.get(enumerated), str):
            plain[enumerated] = plain[enumerated].upper()
    question = msgspec.convert(plain, UsageQuestion, strict=False)
    body: dict[str, Any] = {
        "meterApiName": question.meter_api_name,
        "timeRange": _time_range(question),
        "timeGroupingInterval": question.time_grouping_interval,
    }
    # Left out, Amberflo takes the meter's own aggregation; a default of ours would be wrong for distinct counts.
    if question.aggregation:
        body["aggregation"] = question.aggregation
    if question.group_by:
        body["groupBy"] = question.group_by
    if filters:
        body["filter"] = filters
    if question.take:
        body["take"] = {"limit": question.take, "isAscending": False}
    return body


def _time_range(question: UsageQuestion) -> dict[str, int]:
    now = int(time.time())
    end = now if question.end_time_in_seconds is None else min(question.end_time_in_seconds, now)
    start = question.start_time_in_seconds
    if start is None:
        start = max(end - DEFAULT_RANGE_SECONDS, 0)
    if start >= end:
        raise msgspec.ValidationError(
            "The range is empty: it must begin before its end and before now - at `$.startTimeInSeconds`"
        )
    return {"startTimeInSeconds": start, "endTimeInSeconds": end}


def _filters(given: dict[str, Any]) -> dict[str, list[str]]:
    filters = {key.removeprefix("filter."): _listed(value) for key, value in given.items() if key.startswith("filter.")}
    if "tenantId" in given:
        tenants = _listed(given["tenantId"])
        if filters.get("customerId", tenants) != tenants:
            raise msgspec.ValidationError("It disagrees with `filter.customerId` - at `$.tenantId`")
        filters["customerId"] = tenants
    for key, values in filters.items():
        if not key or not values:
            raise msgspec.ValidationError(f"A filter needs a name and a value - at `$.filter.{key}`")
    return filters


def _listed(value: Any) -> list[str]:
    items = value.split(",") if isinstance(value, str) else msgspec.convert(value, list[str])
    return [item.strip() for item in items if item.strip()]


@step(_request)
def handler(question: dict[str, Any], step: Step) -> StepResponse | ClaimResponse:
    report = step.amberflo.call("POST", "/usage", question)
    if not isinstance(report, dict):
        raise AmberfloUnavailable("Amberflo answered POST /usage with what is not a report.")
    return store_if_large(success(200, report), step.execution.name, narrower=NARROWER)
