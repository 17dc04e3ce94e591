"""The life of a usage by its ``uniqueId``: what the ledger and the rejected table know of it."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from amberflo_workflows.core.ledger.receipt import LedgerEntry
from amberflo_workflows.core.usage_record import UsageRecord


class TracedEntry(NamedTuple):
    """An entry of the ledger about a usage, with its record; a usage that was rejected has none."""

    entry: LedgerEntry
    record: UsageRecord | None

    def to_json(self) -> dict[str, Any]:
        """Return the entry as an object for JSON."""
        entry = self.entry
        return {
            "time": entry.time,
            "outcome": entry.outcome,
            "eventId": entry.event_id or None,
            "index": entry.index,
            "executionArn": entry.execution_arn,
            "keyVersion": entry.key_version,
            "receipt": entry.receipt,
            "record": msgspec.to_builtins(self.record),
            "rejectedItem": None if entry.rejection is UNSET else entry.rejection.id,
        }


def trace_usage(entries: Iterable[LedgerEntry], unique_id: str) -> list[TracedEntry]:
    """Select the entries about the usage with this ``uniqueId``, the earliest first.

    Several tenants can have usage with the same one.
    """
    return sorted(_select(entries, unique_id), key=lambda traced: datetime.fromisoformat(traced.entry.time))


def _select(entries: Iterable[LedgerEntry], unique_id: str) -> Iterator[TracedEntry]:
    quoted = msgspec.json.encode(unique_id)
    for entry in entries:
        if entry.record and quoted in bytes(entry.record):
            record = msgspec.json.decode(entry.record, type=UsageRecord)
            if record.unique_id == unique_id:
                yield TracedEntry(entry, record)
        elif entry.rejection and entry.rejection.unique_id == unique_id:
            yield TracedEntry(entry, None)
