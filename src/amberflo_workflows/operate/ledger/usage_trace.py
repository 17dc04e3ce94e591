"""The life of a usage by its ``uniqueId``: what the ledger and the rejected table know of it."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from amberflo_workflows.core.receipt import Entry
from amberflo_workflows.core.usage_record import UsageRecord
from amberflo_workflows.operate.ledger.reader import LedgerEntry


class TracedEntry(NamedTuple):
    """An entry of the ledger about a usage, with its record; a usage that was rejected has none."""

    ledger_entry: LedgerEntry
    record: UsageRecord | None

    @property
    def entry(self) -> Entry:
        """The entry."""
        return self.ledger_entry.entry

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
            "receipt": self.ledger_entry.key,
            "record": msgspec.to_builtins(self.record),
            "rejectedItem": None if entry.rejection is UNSET else entry.rejection.id,
        }


def trace_usage(entries: Iterable[LedgerEntry], unique_id: str) -> list[TracedEntry]:
    """Select the entries about the usage with this ``uniqueId``, the earliest first.

    Several tenants can have usage with the same one.
    """
    return sorted(_select(entries, unique_id), key=lambda traced: traced.ledger_entry.time)


def _select(entries: Iterable[LedgerEntry], unique_id: str) -> Iterator[TracedEntry]:
    quoted = msgspec.json.encode(unique_id)
    for ledger_entry in entries:
        entry = ledger_entry.entry
        if entry.record and quoted in bytes(entry.record):
            record = msgspec.json.decode(entry.record, type=UsageRecord)
            if record.unique_id == unique_id:
                yield TracedEntry(ledger_entry, record)
        elif entry.rejection and entry.rejection.unique_id == unique_id:
            yield TracedEntry(ledger_entry, None)
