"""Send a chunk of usages to Amberflo in one request.

Request: ``{"usages": [{"eventId", "eventTime", "index", "usage"}…]}``, at most 100. Out: ``{"counted":
[uniqueId…], "rejected": [{id, index, uniqueId, tenantId, meterApiName, reason, original}…]}``, or a 400 answer
when the request has not this form.

A usage that is wrong by its form is set aside and the others are sent. Raises ``AmberfloBatchRejected`` when
Amberflo refuses more than one record at once; the workflow then sends them one by one, and of a single record a
refusal is that record's.
"""

import time
from typing import Annotated, Any, Final, NamedTuple, TypedDict

import msgspec
from aws_lambda_powertools.metrics import MetricUnit
from msgspec import Meta, Struct

from amberflo_workflows.tasks.amberflo.errors import AmberfloBatchRejected, AmberfloRefused, AmberfloUnavailable
from amberflo_workflows.tasks.observability import metrics
from amberflo_workflows.tasks.reported_usage import Rejected, ReportedUsage, refusal_of
from amberflo_workflows.tasks.step import Step, step
from amberflo_workflows.tasks.usage_record import UsageRecord, UsageRefused, check_age, record_of

MOST_USAGES: Final = 100
# Any other refusal is about the address or the account. To park all usage for it would be wrong: it can still count.
_ABOUT_RECORDS: Final = {400, 413, 422}


class SendUsages(Struct, rename="camel"):
    """The chunk. Members beside it are the workflow's."""

    usages: Annotated[list[ReportedUsage], Meta(min_length=1, max_length=MOST_USAGES)]


class Outcome(TypedDict):
    """What became of the chunk."""

    counted: list[str]
    rejected: list[Rejected]


class _Pair(NamedTuple):
    reported: ReportedUsage
    record: UsageRecord


def _request(request: Any) -> SendUsages:
    return msgspec.convert(request, SendUsages)


@step(_request)
def handler(request: SendUsages, step: Step) -> Outcome:
    """Lambda entry point."""
    good, rejected = _sorted_out(request.usages)
    try:
        if good:
            step.amberflo.ingest(msgspec.json.encode([pair.record for pair in good]))
    except AmberfloRefused as refusal:
        if refusal.status not in _ABOUT_RECORDS:
            raise AmberfloUnavailable(f"Amberflo answered POST /ingest with status {refusal.status}.") from None
        if len(good) > 1:
            raise AmberfloBatchRejected(f"Amberflo refused {len(good)} records at once: {refusal.message}") from None
        rejected.append(refusal_of(good[0].reported, f"Amberflo refused it: {refusal.message}"))
        good = []
    metrics.add_metric("UsagesCounted", MetricUnit.Count, len(good))
    metrics.add_metric("UsagesRejected", MetricUnit.Count, len(rejected))
    return {"counted": [pair.record.unique_id for pair in good], "rejected": rejected}


def _sorted_out(usages: list[ReportedUsage]) -> tuple[list[_Pair], list[Rejected]]:
    good: list[_Pair] = []
    rejected: list[Rejected] = []
    now = int(time.time() * 1000)
    for reported in usages:
        try:
            record = record_of(reported.usage, event_id=reported.event_id, event_time=reported.event_time)
            check_age(record, now_in_millis=now)
        except UsageRefused as refusal:
            rejected.append(refusal_of(reported, str(refusal)))
        else:
            good.append(_Pair(reported, record))
    return good, rejected
