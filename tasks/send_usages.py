"""Send a chunk of usages to Amberflo in one request.

Request: ``{"usages": [{"eventId", "eventTime", "index", "usage"}…]}``, at most 100. Out: ``{"counted":
[uniqueId…], "rejected": [{id, index, uniqueId, tenantId, meterApiName, reason, original}…]}``, or a 400 answer
when the request has not this form.

A usage that is wrong by its form is set aside and the others are sent. Raises ``AmberfloBatchRejected`` when
Amberflo refuses more than one record at once; the workflow then sends them one by one, and of a single record a
refusal is that record's.
"""

import hashlib
import time
from typing import Annotated, Any, Final, NamedTuple, TypedDict

import msgspec
from aws_lambda_powertools.metrics import MetricUnit
from msgspec import Meta, Struct

from amberflo_workflows.tasks.amberflo.errors import AmberfloBatchRejected, AmberfloRefused
from amberflo_workflows.tasks.observability import metrics
from amberflo_workflows.tasks.step import Step, step
from amberflo_workflows.tasks.usage_record import UsageRecord, UsageRefused, record_of

MOST_USAGES: Final = 100
# Amberflo takes events up to 60 days back; the clock of a sender may be a little ahead.
OLDEST_MILLISECONDS: Final = 60 * 24 * 60 * 60 * 1000
AHEAD_MILLISECONDS: Final = 5 * 60 * 1000


class ReportedUsage(Struct, rename="camel"):
    """A usage, with the identity and time of the event that brought it and its place therein."""

    event_id: str
    event_time: str
    index: int
    usage: Any


class SendUsages(Struct, rename="camel"):
    """The chunk. Members beside it are the workflow's."""

    usages: Annotated[list[ReportedUsage], Meta(min_length=1, max_length=MOST_USAGES)]


class Rejected(TypedDict):
    """A usage that was not counted, as the rejected table keeps it."""

    id: str
    index: int
    uniqueId: str
    tenantId: str
    meterApiName: str
    reason: str
    original: str


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
        if len(good) > 1:
            raise AmberfloBatchRejected(f"Amberflo refused {len(good)} records at once: {refusal.message}") from None
        rejected.append(_rejected(good[0].reported, f"Amberflo refused it: {refusal.message}"))
        good = []
    metrics.add_metric("UsagesCounted", MetricUnit.Count, len(good))
    metrics.add_metric("UsagesRejected", MetricUnit.Count, len(rejected))
    return {"counted": [pair.record.unique_id for pair in good], "rejected": rejected}


def _sorted_out(usages: list[ReportedUsage]) -> tuple[list[_Pair], list[Rejected]]:
    good: list[_Pair] = []
    rejected: list[Rejected] = []
    for reported in usages:
        try:
            record = record_of(reported.usage, event_id=reported.event_id, event_time=reported.event_time)
            _check_age(record.meter_time_in_millis)
        except UsageRefused as refusal:
            rejected.append(_rejected(reported, str(refusal)))
        else:
            good.append(_Pair(reported, record))
    return good, rejected


def _check_age(milliseconds: int) -> None:
    now = time.time() * 1000
    if milliseconds < now - OLDEST_MILLISECONDS:
        raise UsageRefused("it is more than 60 days old")
    if milliseconds > now + AHEAD_MILLISECONDS:
        raise UsageRefused("its time is more than 5 minutes ahead")


def _rejected(reported: ReportedUsage, reason: str) -> Rejected:
    return {
        "id": _identity(reported),
        "index": reported.index,
        "uniqueId": _named(reported.usage, "uniqueId") or reported.event_id,
        "tenantId": _named(reported.usage, "tenantId"),
        "meterApiName": _named(reported.usage, "meterApiName"),
        "reason": reason,
        "original": msgspec.json.encode(reported).decode(),
    }


def _identity(reported: ReportedUsage) -> str:
    """The same for every delivery of a usage, and another for any other usage, be it wrong in whatever way.

    As in the record itself, the event's identity and time count only where the usage has none of its own.
    """
    own = reported.usage if isinstance(reported.usage, dict) else {}
    identity = [
        None if own.get("uniqueId") else [reported.event_id, reported.index],
        None if own.get("meterTimeInMillis") else reported.event_time,
        reported.usage,
    ]
    return hashlib.sha256(msgspec.json.encode(identity, order="sorted")).hexdigest()[:32]


def _named(usage: Any, member: str) -> str:
    """A member for finding the rejected usage again; at most 200 characters, since this one may be anything."""
    value = usage.get(member) if isinstance(usage, dict) else None
    return str(value)[:200] if isinstance(value, str | int) else ""
