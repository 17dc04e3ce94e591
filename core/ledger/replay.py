"""Send usage of the ledger again: as usages whose records have the bytes that Amberflo counted, in the right order."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain, groupby
from typing import Any, Final

import msgspec
from msgspec import Struct

from amberflo_workflows.core.ledger.usages import LedgerUsage
from amberflo_workflows.core.reported_usage import ReportedUsage
from amberflo_workflows.core.usage_record import InvalidUsage, build_record

# Later versions of usages that are held in memory until the first ones are sent.
MAX_HELD_USAGES: Final = 10_000


class ReplaySlice(Struct, rename="camel"):
    """A part of a replay: a range in epoch seconds, and what became of the usage before its start.

    ``not_rebuilt`` counts the records of which no usage could be built.
    """

    start: int
    end: int
    sent: int = 0
    rejected: int = 0
    cancelled: int = 0
    too_old: int = 0
    not_rebuilt: int = 0
    is_sent: bool = False


class RecordNotRebuilt(Exception):
    """A record in the ledger is none that this version would send, so that Amberflo would count it a second time."""


def build_usage(usage: LedgerUsage) -> ReportedUsage:
    """Return a usage whose record has the bytes that Amberflo counted. Raises :class:`RecordNotRebuilt`.

    It has the event and the index that it was first counted with.
    """
    record, first = usage.record, usage.counted[0]
    members: dict[str, Any] = {
        "tenantId": record.customer_id,
        "meterApiName": record.meter_api_name,
        "meterValue": record.meter_value,
        "meterTimeInMillis": record.meter_time_in_millis,
        "dimensions": record.dimensions,
    }
    identified = {**members, "uniqueId": record.unique_id}
    item_id = _compute_item_id(usage)
    for reported in (
        ReportedUsage(first.event_id, "", first.index, identified, rejected_id=item_id),
        # A sender's own id is limited in its length, and that of an event is not.
        ReportedUsage(record.unique_id, "", first.index, members, rejected_id=item_id),
    ):
        if _encode_record(reported) == usage.content:
            return reported
    raise RecordNotRebuilt(
        f"The record '{record.unique_id}' of the tenant '{record.customer_id}' was sent in a form that this version "
        f"does not send. Its receipt is in {first.receipt}."
    )


def _encode_record(reported: ReportedUsage) -> bytes:
    try:
        record = build_record(reported.usage, event_id=reported.event_id, event_time=reported.event_time)
    except InvalidUsage:
        return b""
    return msgspec.json.encode(record)


def _compute_item_id(usage: LedgerUsage) -> str:
    """Return the id of the item of the rejected table if the usage is rejected now.

    It is another one after the usage was counted again: the earlier item is redriven then, and is not written again.
    """
    return hashlib.sha256(usage.content + usage.counted[-1].time.encode()).hexdigest()[:32]


def iter_waves(usages: Iterable[LedgerUsage]) -> Iterator[Iterable[LedgerUsage]]:
    """Split usages, which have the order of the ledger, into waves. Each has to be sent before the next one is read.

    Of records that differ only in their value, Amberflo counts the latest by default. They are in different waves, so
    that the one that was counted last is sent last. Nearly every usage is in the first wave.
    """
    groups = (list(group) for _, group in groupby(usages, key=_get_owner))
    for group in groups:
        later: defaultdict[int, list[LedgerUsage]] = defaultdict(list)
        yield _iter_first_versions(chain([group], groups), later)
        for number in sorted(later):
            yield later[number]


def _get_owner(usage: LedgerUsage) -> tuple[int, str, str]:
    """Return the first members of a record in the order of the ledger, except its value."""
    record = usage.record
    return record.meter_time_in_millis, record.customer_id, record.meter_api_name


def _iter_first_versions(
    groups: Iterable[list[LedgerUsage]], later: defaultdict[int, list[LedgerUsage]]
) -> Iterator[LedgerUsage]:
    """Yield the first version of usages, and add the others to ``later``, until it holds enough of them."""
    held = 0
    for group in groups:
        versions: defaultdict[tuple[str, str], list[LedgerUsage]] = defaultdict(list)
        for usage in group:
            versions[usage.record.unique_id, str(usage.record.dimensions)].append(usage)
        for first, *others in (sorted(group, key=_get_first_time) for group in versions.values()):
            yield first
            for number, usage in enumerate(others):
                later[number].append(usage)
            held += len(others)
        if held >= MAX_HELD_USAGES:
            return


def _get_first_time(usage: LedgerUsage) -> str:
    """Return when a usage was first counted. Receipts have the time in UTC, in ISO 8601 with one precision."""
    return usage.counted[0].time
