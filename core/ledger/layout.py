"""The names of the objects in the ledger's bucket.

| prefix | |
|---|---|
| ``receipts/date=…/hour=…/`` | receipts, as Firehose delivers them, by the hour of the first one |
| ``sorted/date=…/hour=…/`` | runs: usage by its own hour, see :mod:`amberflo_workflows.core.ledger.runs` |
| ``rules/`` | the rules that were in a receipt, under the name of its object |
| ``index/`` | which hours a receipt has usage of, under the name of its object: it exists once the receipt is sorted |
| ``sorted-until.json`` | before which hour all receipts are sorted |
| ``reconciliations/ID/`` | the report of a reconciliation |
"""

from datetime import UTC, datetime
from typing import Final

from amberflo_workflows.core.ledger.receipt import RECEIPTS_PREFIX

SORTED_PREFIX: Final = "sorted/"
RULES_PREFIX: Final = "rules/"
INDEX_PREFIX: Final = "index/"
REPORTS_PREFIX: Final = "reconciliations/"
SORTED_UNTIL_KEY: Final = "sorted-until.json"
HOUR_SECONDS: Final = 3600


def start_of_hour(seconds: int) -> int:
    """Return the start of the hour of a time, both in epoch seconds."""
    return seconds // HOUR_SECONDS * HOUR_SECONDS


def format_folder(prefix: str, seconds: int) -> str:
    """Return the folder of the hour of a time in epoch seconds: ``PREFIXdate=2026-11-27/hour=15/``."""
    return f"{prefix}{datetime.fromtimestamp(seconds, UTC):date=%Y-%m-%d/hour=%H/}"


def parse_hour(key: str) -> int:
    """Return the hour of a key in such a folder, in epoch seconds. Raises ``ValueError`` for any other key."""
    _, date, hour, _ = key.split("/", 3)
    return int(datetime.fromisoformat(f"{date.removeprefix('date=')}T{hour.removeprefix('hour=')}:00:00Z").timestamp())


def name_of_receipt(key: str) -> str:
    """Return the part of a receipt's key that the keys of its index and of its rules share."""
    return key.removeprefix(RECEIPTS_PREFIX)
