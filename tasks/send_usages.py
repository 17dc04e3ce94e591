"""Send a chunk of usages to Amberflo, a hundred per request, the requests in parallel.

Request: ``{"usages": [{"eventId", "eventTime", "index", "usage"}…], "first"?}``, at most 300 usages; ``first`` is the
position of the first one in the execution's chunk. Output: ``{"counted": [uniqueId…], "rejected": [{id, place, index,
uniqueId, tenantId, meterApiName, reason}…], "rejectedPlaces": [place…]}``, or a 400 response if the request is invalid.

An invalid usage, or one under a meter that does not exist, is set aside and the others are sent. Raises
``AmberfloBatchRejected`` if Amberflo rejects a request with more than one record, or one of several requests; the
workflow then sends the records one by one. A rejection of a single record is an outcome. Records that are sent twice
for this count once.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Annotated, Any, Final, TypedDict

import msgspec
from msgspec import Meta, Struct

from amberflo_workflows.core.chunks import MAX_CHUNK_USAGES
from amberflo_workflows.core.observability import count_rejected
from amberflo_workflows.core.reported_usage import RejectedUsage, ReportedUsage, build_rejected_usage, truncate_reason
from amberflo_workflows.core.usage_record import InvalidUsage, UsageRecord, build_record, check_countable
from amberflo_workflows.tasks.amberflo.client import AmberfloClient
from amberflo_workflows.tasks.amberflo.errors import AmberfloBatchRejected, AmberfloClientError, AmberfloUnavailable
from amberflo_workflows.tasks.amberflo.meter_names import find_unknown_meters
from amberflo_workflows.tasks.step import Step, step

# As many as Amberflo's own clients send in a request.
MAX_REQUEST_USAGES: Final = 100
# Any other status is about the URL or the account. The usage is not rejected for it, since it can still count.
_RECORD_ERROR_STATUSES: Final = {400, 413, 422}


class SendUsages(Struct, rename="camel"):
    """The chunk. Other members of the request are for the workflow."""

    usages: Annotated[list[ReportedUsage], Meta(min_length=1, max_length=MAX_CHUNK_USAGES)]
    first: int = 0


class SendResult(TypedDict):
    """The outcome of the chunk."""

    counted: list[str]
    rejected: list[RejectedUsage]
    rejectedPlaces: list[int]


class _ValidUsage(Struct):
    place: int
    reported: ReportedUsage
    record: UsageRecord


def _parse_request(request: Any) -> SendUsages:
    return msgspec.convert(request, SendUsages)


@step(_parse_request)
def handler(request: SendUsages, step: Step) -> SendResult:
    started = time.monotonic()
    valid, rejected = _reject_unknown_meters(step.amberflo, *_validate(request))
    amberflo = replace(step.amberflo, timeout_seconds=step.amberflo.timeout_seconds - (time.monotonic() - started))
    batches = [valid[start : start + MAX_REQUEST_USAGES] for start in range(0, len(valid), MAX_REQUEST_USAGES)]
    for batch, error in zip(batches, _send(amberflo, batches), strict=True):
        if error is None:
            continue
        if error.status not in _RECORD_ERROR_STATUSES:
            raise AmberfloUnavailable(f"Amberflo returned status {error.status} for POST /ingest.")
        if len(valid) > 1:
            raise AmberfloBatchRejected(f"Amberflo rejected a batch of {len(batch)} records: {error.message}")
        reason = truncate_reason(f"Amberflo rejected it: {error.message}")
        rejected.append(build_rejected_usage(batch[0].reported, batch[0].place, reason))
        valid = []
    count_rejected(len(rejected))
    return {
        "counted": [usage.record.unique_id for usage in valid],
        "rejected": rejected,
        "rejectedPlaces": [usage["place"] for usage in rejected],
    }


def _send(amberflo: AmberfloClient, batches: list[list[_ValidUsage]]) -> list[AmberfloClientError | None]:
    """Send each batch in a request of its own. Return Amberflo's rejections, in the order of the batches.

    Raises the other errors of :meth:`AmberfloClient.ingest`.
    """

    def send(batch: list[_ValidUsage]) -> AmberfloClientError | None:
        try:
            amberflo.ingest(msgspec.json.encode([usage.record for usage in batch]))
        except AmberfloClientError as error:
            return error
        return None

    if len(batches) < 2:
        return [send(batch) for batch in batches]
    with ThreadPoolExecutor(len(batches)) as pool:
        return list(pool.map(send, batches))


def _validate(request: SendUsages) -> tuple[list[_ValidUsage], list[RejectedUsage]]:
    valid: list[_ValidUsage] = []
    rejected: list[RejectedUsage] = []
    now_in_millis = int(time.time() * 1000)
    for place, reported in enumerate(request.usages, request.first):
        try:
            record = build_record(
                reported.usage, event_id=reported.event_id, event_time=reported.event_time, reason=reported.reason
            )
            check_countable(record, now_in_millis=now_in_millis)
        except InvalidUsage as error:
            rejected.append(build_rejected_usage(reported, place, str(error)))
        else:
            valid.append(_ValidUsage(place, reported, record))
    return valid, rejected


def _reject_unknown_meters(
    amberflo: AmberfloClient, valid: list[_ValidUsage], rejected: list[RejectedUsage]
) -> tuple[list[_ValidUsage], list[RejectedUsage]]:
    """Move usage without a meter to the rejected ones. Raises what :func:`find_unknown_meters` raises."""
    reasons = find_unknown_meters(amberflo, {usage.record.meter_api_name for usage in valid})
    if not reasons:
        return valid, rejected
    unknown = [usage for usage in valid if usage.record.meter_api_name in reasons]
    rejected += [
        build_rejected_usage(usage.reported, usage.place, reasons[usage.record.meter_api_name]) for usage in unknown
    ]
    rejected.sort(key=lambda usage: usage["place"])
    return [usage for usage in valid if usage.record.meter_api_name not in reasons], rejected
