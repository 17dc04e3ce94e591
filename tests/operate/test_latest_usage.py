import time

import pytest
from msgspec import Raw

from amberflo_workflows.core.ledger.layout import format_folder
from amberflo_workflows.core.ledger.receipt import RECEIPTS_PREFIX, Entry, Outcome, Rejection, encode_receipt
from amberflo_workflows.local.system import System
from amberflo_workflows.operate.ledger import latest_usage
from amberflo_workflows.operate.ledger.latest_usage import LatestUsages
from amberflo_workflows.operate.ledger.reader import open_ledger

pytestmark = pytest.mark.emulator

NOW = int(time.time())
RECORD = Raw(
    b'{"customerId": "a", "meterApiName": "m", "meterValue":2, "uniqueId":"u", "meterTimeInMillis": 1, "dimensions":{}}'
)


def _put(system: System, name: str, *entries: Entry) -> None:
    key = f"{format_folder(RECEIPTS_PREFIX, NOW)}{name}.ndjson.gz"
    body = encode_receipt(entries)
    system.client("s3").put_object(Bucket=system.outputs["LedgerBucketName"], Key=key, Body=body)


def _entry(second: int, outcome: Outcome = "counted", **members: object) -> Entry:
    about = members or {"record": RECORD}
    return Entry(outcome=outcome, time=f"2026-11-27T00:00:0{second}Z", execution_arn="arn", key_version="v", **about)  # type: ignore[arg-type] # of any kind


def test_usages_of_all_outcomes_come_newest_first_and_objects_are_read_once(system: System) -> None:
    latest, rejection = LatestUsages(lambda: open_ledger(system)), Rejection("item", "r", "b", "x")
    _put(system, "1", _entry(1), _entry(3, "rejected", rejection=rejection))
    _put(system, "2", _entry(2, "cancelled"), _entry(4, "rule", rule=Raw(b"{}")))
    usages = latest.read(NOW).usages
    outcomes = [(usage.outcome, usage.tenant_id) for usage in usages]
    assert outcomes == [("rejected", "b"), ("cancelled", "a"), ("counted", "a")]
    assert (usages[0].rejected_item, usages[0].value, usages[2].value) == ("item", None, 2)
    assert [usage.unique_id for usage in latest.read(NOW, tenant="a", meter="m").usages] == ["u", "u"]
    assert latest.read(NOW, tenant="nobody").usages == []
    # An object never changes, so that this one is not read again.
    _put(system, "1")
    assert len(latest.read(NOW).usages) == 3


def test_objects_that_are_too_large_are_counted(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latest_usage, "_MAX_OBJECT_BYTES", 10)
    _put(system, "1", _entry(1))
    assert LatestUsages(lambda: open_ledger(system)).read(NOW) == ([], 1)
