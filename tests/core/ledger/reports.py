"""Reports of reconciliations, as ``reconcile_usage`` writes them."""

import gzip
from collections.abc import Sequence

import msgspec

from amberflo_workflows.core.ledger.comparison import ComparedHour, HourOutcome
from amberflo_workflows.core.ledger.store import LedgerStore
from tests.core.ledger.entries import START


def build_hour(outcome: HourOutcome, hour: int = 0, *, meter: str = "m", tenant: str = "t") -> ComparedHour:
    """An hour so many hours after ``START``."""
    return ComparedHour(meter, tenant, START + hour * 3600, 2, 1, outcome)


def put_part(store: LedgerStore, reconciliation: str, name: str, hours: Sequence[ComparedHour]) -> str:
    """Put a part of a report, and return its key."""
    key = f"reconciliations/{reconciliation}/{name}.ndjson.gz"
    lines = msgspec.json.Encoder().encode_lines(hours)
    store.s3.put_object(Bucket=store.bucket, Key=key, Body=gzip.compress(lines))
    return key
