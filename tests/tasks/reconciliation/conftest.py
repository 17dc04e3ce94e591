from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from amberflo_workflows.core.ledger.layout import format_folder
from amberflo_workflows.core.ledger.receipt import RECEIPTS_PREFIX, LedgerEntry, encode_receipt
from amberflo_workflows.core.ledger.store import LedgerStore
from amberflo_workflows.local.emulator import Emulator
from tests.core.ledger.conftest import store as store  # noqa: PLC0414 - a fixture
from tests.tasks.caches import clear_caches


@dataclass(frozen=True)
class Ledger:
    """A ledger in a bucket of the emulator, which the steps take for their own."""

    store: LedgerStore

    def put(self, seconds: int, name: str, *entries: LedgerEntry) -> str:
        """Put a receipt under the hour of a time in epoch seconds; returns its key."""
        key = f"{format_folder(RECEIPTS_PREFIX, seconds)}{name}.ndjson.gz"
        # A receipt does not name itself.
        self.store.put(key, encode_receipt(msgspec.structs.replace(entry, receipt="") for entry in entries))
        return key


@pytest.fixture
def ledger(store: LedgerStore, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    environment = {**emulator.environment, "LEDGER_BUCKET_NAME": store.bucket, "RECONCILIATION_LAG_SECONDS": "14400"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    clear_caches()
    yield Ledger(store)
    clear_caches()


def build_execution(**changes: Any) -> dict[str, str]:
    """An execution that starts now, after what was stored before it; S3 stores the time of an object in seconds."""
    started = datetime.now(UTC) + timedelta(**changes)
    return {"id": "arn", "name": "run-1", "startTime": started.isoformat()}
