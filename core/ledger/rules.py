"""The rules in the ledger, which cancel usage by the time of its ingestion."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import msgspec
from msgspec import Struct

from amberflo_workflows.core.ledger.receipt import LedgerEntry


class IngestionRange(Struct, rename="camel"):
    """Start (inclusive) and end, in epoch seconds."""

    start_time_in_seconds: int
    end_time_in_seconds: int


class Rule(Struct, rename="camel"):
    """A rule that cancels a meter's usage by the time of its ingestion."""

    id: str
    meter_api_name: str
    ingestion_time_range: IngestionRange


class WrittenRule(NamedTuple):
    """A rule, and when it was written, in ISO 8601."""

    rule: Rule
    time: str


class Rules:
    """The rules of a ledger, whose entries can come in any order, and more than once."""

    def __init__(self, entries: Iterable[LedgerEntry] = ()) -> None:
        self._by_id: dict[str, WrittenRule] = {}
        for entry in entries:
            self.add(entry)

    def add(self, entry: LedgerEntry) -> None:
        """Add the rule of an entry, if it has one. It replaces an earlier rule with its id."""
        if not entry.rule:
            return
        written = WrittenRule(msgspec.json.decode(entry.rule, type=Rule), entry.time)
        earlier = self._by_id.get(written.rule.id)
        if earlier is None or _parse(earlier.time) < _parse(written.time):
            self._by_id[written.rule.id] = written

    def list_current(self) -> list[WrittenRule]:
        """Return the current rules, the latest first."""
        return sorted(self._by_id.values(), key=lambda written: _parse(written.time), reverse=True)

    def find(self, meter: str, ingested: str) -> WrittenRule | None:
        """Return a rule that cancels a meter's usage that was ingested at this time (ISO 8601), if there is one.

        Amberflo has a record since it was first ingested, which its receipts tell to about a second.
        """
        if not self._by_id:
            return None
        seconds = _parse(ingested).timestamp()
        for written in self._by_id.values():
            time_range = written.rule.ingestion_time_range
            is_in_range = time_range.start_time_in_seconds <= seconds < time_range.end_time_in_seconds
            if is_in_range and written.rule.meter_api_name == meter:
                return written
        return None


def _parse(time: str) -> datetime:
    return datetime.fromisoformat(time)
