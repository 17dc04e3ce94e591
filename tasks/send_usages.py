"""Send a chunk of usages to Amberflo, a hundred in a request, the requests at once.

Request: ``{"usages": [{"eventId", "eventTime", "index", "usage"}…], "first"?}``, at most 300 usages; ``first`` is the
place of the first one in the execution's own chunk. Out: ``{"counted": [uniqueId…], "rejected": [{id, place, index,
uniqueId, tenantId, meterApiName, reason}…]}``, or a 400 answer when the request has not this form.

A usage that is wrong by its form is set aside and the others are sent. Raises ``AmberfloBatchRejected`` when
Amberflo refuses more than one record at once; the workflow then sends them one by one, and of a single record a
refusal is that record's. What is sent twice for that counts once.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, Final, NamedTuple, TypedDict

import msgspec
from aws_lambda_powertools.metrics import MetricUnit
from msgspec import Meta, Struct

from amberflo_workflows.core.chunks import MAX_CHUNK_USAGES
from amberflo_workflows.core.observability import metrics
from amberflo_workflows.core.reported_usage import RejectedUsage, ReportedUsage, build_rejected_usage, truncate_reason
from amberflo_workflows.core.usage_record import InvalidUsage, UsageRecord, build_record, check_countable
from amberflo_workflows.tasks.amberflo.client import AmberfloClient
from amberflo_workflows.tasks.amberflo.errors import AmberfloBatchRejected, AmberfloClientError, AmberfloUnavailable
from amberflo_workflows.tasks.step import Step, step

# What Amberflo's own clients send at once.
MAX_REQUEST_USAGES: Final = 100
# Any other refusal is about the address or the account. To park all usage for it would be wrong: it can still count.
_ABOUT_RECORDS: Final = {400, 413, 422}


class SendUsages(Struct, rename="camel"):
    """The chunk. Members beside it are the workflow's."""

    usages: Annotated[list[ReportedUsage], Meta(min_length=1, max_length=MAX_CHUNK_USAGES)]
    first: int = 0


class SendResult(TypedDict):
    """What became of the chunk."""

    counted: list[str]
    rejected: list[RejectedUsage]


class _Good(NamedTuple):
    place: int
    reported: ReportedUsage
    record: UsageRecord


def _request(request: Any) -> SendUsages:
    return msgspec.convert(request, SendUsages)


@step(_request)
def handler(request: SendUsages, step: Step) -> SendResult:
    good, rejected = _sorted_out(request)
    parts = [good[start : start + MAX_REQUEST_USAGES] for start in range(0, len(good), MAX_REQUEST_USAGES)]
    for part, refusal in zip(parts, _sent(step.amberflo, parts), strict=True):
        if refusal is None:
            continue
        if refusal.status not in _ABOUT_RECORDS:
            raise AmberfloUnavailable(f"Amberflo answered POST /ingest with status {refusal.status}.")
        if len(good) > 1:
            raise AmberfloBatchRejected(f"Amberflo refused {len(part)} records at once: {refusal.message}")
        reason = truncate_reason(f"Amberflo refused it: {refusal.message}")
        rejected.append(build_rejected_usage(part[0].reported, part[0].place, reason))
        good = []
    metrics.add_metric("UsagesCounted", MetricUnit.Count, len(good))
    metrics.add_metric("UsagesRejected", MetricUnit.Count, len(rejected))
    return {"counted": [pair.record.unique_id for pair in good], "rejected": rejected}


def _sent(amberflo: AmberfloClient, parts: list[list[_Good]]) -> list[AmberfloClientError | None]:
    """Send each part in a request of its own; what Amberflo refused, in their order. Raises what the client raises."""

    def send(part: list[_Good]) -> AmberfloClientError | None:
        try:
            amberflo.ingest(msgspec.json.encode([pair.record for pair in part]))
        except AmberfloClientError as refusal:
            return refusal
        return None

    if len(parts) < 2:
        return [send(part) for part in parts]
    with ThreadPoolExecutor(len(parts)) as pool:
        return list(pool.map(send, parts))


def _sorted_out(request: SendUsages) -> tuple[list[_Good], list[RejectedUsage]]:
    good: list[_Good] = []
    rejected: list[RejectedUsage] = []
    now = int(time.time() * 1000)
    for place, reported in enumerate(request.usages, request.first):
        try:
            record = build_record(reported.usage, event_id=reported.event_id, event_time=reported.event_time)
            check_countable(record, now_in_millis=now)
        except InvalidUsage as refusal:
            rejected.append(build_rejected_usage(reported, place, str(refusal)))
        else:
            good.append(_Good(place, reported, record))
    return good, rejected
