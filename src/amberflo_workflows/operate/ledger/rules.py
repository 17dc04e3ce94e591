"""The rules in the ledger, which cancel usage by the time of its ingestion."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import msgspec
from msgspec import Struct

from amberflo_workflows.operate.ledger.reader import LedgerEntry


class IngestionRange(Struct, rename="camel"):
    """Start (inclusive) and end, in epoch seconds."""

    start_time_in_seconds: int
    end_time_in_seconds: int


class Rule(Struct, rename="camel"):
    """A rule that cancels a meter's usage by the time of its ingestion."""

    id: str
    meter_api_name: str
    ingestion_time_range: IngestionRange


class _WrittenRule(NamedTuple):
    rule: Rule
    time: datetime


@dataclass
class Rules:
    """The rules of a ledger, whose entries can come in any order."""

    _by_id: dict[str, _WrittenRule] = field(default_factory=dict)

    def add(self, ledger_entry: LedgerEntry) -> None:
        """Add the rule of an entry, if it has one. It replaces an earlier rule with its id."""
        if not ledger_entry.entry.rule:
            return
        rule = msgspec.json.decode(ledger_entry.entry.rule, type=Rule)
        earlier = self._by_id.get(rule.id)
        if earlier is None or earlier.time < ledger_entry.time:
            self._by_id[rule.id] = _WrittenRule(rule, ledger_entry.time)

    def find(self, meter: str, ingested: datetime) -> str:
        """Return the id of a rule that cancels a meter's usage that was ingested at this time, or an empty text.

        Amberflo has a record since it was first ingested, which its receipts tell to about a second.
        """
        seconds = ingested.timestamp()
        for rule, _ in self._by_id.values():
            time_range = rule.ingestion_time_range
            is_in_range = time_range.start_time_in_seconds <= seconds < time_range.end_time_in_seconds
            if is_in_range and rule.meter_api_name == meter:
                return rule.id
        return ""
