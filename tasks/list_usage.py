"""Query Amberflo for the usage of every meter, in one call.

Request: the query of ``GET /usage``, flat, as strings or typed: ``startTimeInSeconds``, ``endTimeInSeconds``,
``timeGroupingInterval``, ``groupBy`` (``customerId``), ``tenantId``. Response: 200 with the list of Amberflo's reports,
whose ``metadata.meterApiName`` names the meter, or a claim to it if it is large; 400; 413 if it is larger than a
response may be.
"""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from amberflo_workflows.core.canonical import normalize_text
from amberflo_workflows.core.claim_check import store_if_large
from amberflo_workflows.core.response import ClaimResponse, StepResponse, success
from amberflo_workflows.core.usage_record import MAX_TEXT_LENGTH
from amberflo_workflows.tasks.amberflo.errors import AmberfloUnavailable
from amberflo_workflows.tasks.amberflo.time_range import Interval, Seconds, build_time_range
from amberflo_workflows.tasks.step import Step, step

# A report has every interval of every meter, even those without usage.
MAX_INTERVALS: Final = 1_000
# A month is at least as long.
_INTERVAL_SECONDS: Final[dict[Interval, int]] = {"HOUR": 3_600, "DAY": 86_400, "WEEK": 7 * 86_400, "MONTH": 28 * 86_400}
TOO_LARGE_ADVICE: Final = "Use a shorter range, a longer timeGroupingInterval, a tenantId, or GET /usage/{meterId}."


class AllUsageQuestion(Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """The query. Amberflo groups the usage of all meters by the customer only, and filters it by one customer."""

    start_time_in_seconds: Seconds | None = None
    end_time_in_seconds: Seconds | None = None
    time_grouping_interval: Interval = "DAY"
    group_by: Literal["customerId"] | None = None
    # Text with a character that is not blank: without the filter, one customer would see the usage of all.
    tenant_id: Annotated[str, Meta(pattern=r"\S", max_length=MAX_TEXT_LENGTH)] | None = None


def _build_parameters(request: Any) -> dict[str, str]:
    members = msgspec.convert(request, dict[str, Any])
    interval = members.get("timeGroupingInterval")
    if isinstance(interval, str):
        members["timeGroupingInterval"] = interval.upper()
    question = msgspec.convert(members, AllUsageQuestion, strict=False)
    time_range = build_time_range(question.start_time_in_seconds, question.end_time_in_seconds)
    _check_length(time_range["endTimeInSeconds"] - time_range["startTimeInSeconds"], question.time_grouping_interval)
    parameters = {name: str(seconds) for name, seconds in time_range.items()}
    parameters["timeGroupingInterval"] = question.time_grouping_interval
    if question.group_by:
        parameters["groupBy"] = question.group_by
    if question.tenant_id is not None:
        parameters["customerId"] = normalize_text(question.tenant_id)
    return parameters


def _check_length(seconds: int, interval: Interval) -> None:
    intervals = seconds // _INTERVAL_SECONDS[interval]
    if intervals > MAX_INTERVALS:
        raise msgspec.ValidationError(
            f"The range has {intervals:,} intervals ({interval}); at most {MAX_INTERVALS:,} are allowed for all meters "
            "at once. Use a shorter range or a longer timeGroupingInterval - at `$.startTimeInSeconds`"
        )


@step(_build_parameters)
def handler(parameters: dict[str, str], step: Step) -> StepResponse | ClaimResponse:
    reports = step.amberflo.call("GET", "/usage/all", params=parameters)
    if not isinstance(reports, list) or not all(isinstance(report, dict) for report in reports):
        raise AmberfloUnavailable("Amberflo's response to GET /usage/all is not a list of reports.")
    return store_if_large(success(200, reports), step.execution.name, advice=TOO_LARGE_ADVICE)
