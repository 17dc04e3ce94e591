"""Entries of the ledger for tests, all of one hour."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Raw

from amberflo_workflows.core.ledger.receipt import RECEIPTS_PREFIX, LedgerEntry, Outcome, encode_receipt
from amberflo_workflows.core.ledger.store import LedgerStore
from amberflo_workflows.core.usage_record import UsageRecord

# 2026-11-27T15:00:00Z, in epoch seconds.
START = 1_795_791_600
RECEIPT = "receipts/date=2026-11-27/hour=15/a.ndjson.gz"


def build_record(number: int, second: int = 0, value: float = 2, *, tenant: str = "t", meter: str = "m") -> UsageRecord:
    """A record whose time is so many seconds after ``START``."""
    return UsageRecord(tenant, meter, value, (START + second) * 1000, f"u{number}", {})


def build_entry(outcome: Outcome, second: int, content: object, **members: Any) -> LedgerEntry:
    """An entry that was written so many seconds after ``START``."""
    name = "rule" if outcome == "rule" else "record"
    members = {"execution_arn": "arn", "receipt": RECEIPT, name: Raw(msgspec.json.encode(content)), **members}
    time = datetime.fromtimestamp(START, UTC) + timedelta(seconds=second)
    return LedgerEntry(outcome=outcome, time=f"{time:%Y-%m-%dT%H:%M:%S.000Z}", key_version="v", **members)


def put_receipt(store: LedgerStore, name: str, entries: Sequence[LedgerEntry]) -> str:
    """Put an object with receipts, as the steps write them. ``name`` starts with the hour; returns the key."""
    key = f"{RECEIPTS_PREFIX}date=2026-11-27/{name}.ndjson.gz"
    plain = [msgspec.structs.replace(entry, receipt="") for entry in entries]
    store.s3.put_object(Bucket=store.bucket, Key=key, Body=encode_receipt(plain))
    return key


def build_rule(rule_id: str, first: int, last: int, meter: str = "m") -> dict[str, object]:
    """A rule for what was ingested from ``first`` to ``last`` seconds after ``START``."""
    time_range = {"startTimeInSeconds": START + first, "endTimeInSeconds": START + last}
    return {"id": rule_id, "meterApiName": meter, "ingestionTimeRange": time_range}
