"""Which objects of the ledger a reader opens, in a bucket of the emulator."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from amberflo_workflows.core.receipt import Entry, encode_receipt
from amberflo_workflows.local.emulator import Emulator
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.ledger.reader import PARALLEL_OBJECTS, LedgerReader

pytestmark = pytest.mark.emulator

BUCKET = "ledger-of-reader"
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


@dataclass(frozen=True)
class BucketOnly:
    """What the reader needs of a deployment."""

    emulator: Emulator
    outputs: dict[str, str] = field(default_factory=lambda: {"LedgerBucketName": BUCKET})
    stack: str = "Metering"

    def client(self, service: str) -> Any:
        return self.emulator.client(service)


@pytest.fixture
def deployment(emulator: Emulator) -> Iterator[Any]:
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    yield BucketOnly(emulator)
    for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        s3.delete_object(Bucket=BUCKET, Key=item["Key"])
    s3.delete_bucket(Bucket=BUCKET)


def _put(deployment: Any, hour: datetime, name: str = "a", content: bytes | None = None) -> None:
    """Put an object with one entry, whose event is named after the hour and the object."""
    event = f"{hour:%dT%H}{name}"
    entry = Entry(outcome="counted", time=hour.isoformat(), execution_arn="arn", key_version="v", event_id=event)
    key = f"receipts/date={hour:%Y-%m-%d}/hour={hour:%H}/{name}.ndjson.gz"
    deployment.client("s3").put_object(Bucket=BUCKET, Key=key, Body=content or encode_receipt([entry]))


def _read(deployment: Any, start: datetime, end: datetime) -> list[str]:
    return [entry.event_id for entry, _ in LedgerReader(deployment).read(start, end)]


def test_the_hours_of_a_range_are_read_also_across_midnight(deployment: Any) -> None:
    for hours in range(-14, 15):
        _put(deployment, NOON + timedelta(hours=hours))
    assert _read(deployment, NOON, NOON + timedelta(hours=1)) == ["27T11a", "27T12a", "27T13a"]
    evening = NOON + timedelta(hours=11, minutes=30)
    assert _read(deployment, evening, evening + timedelta(hours=1)) == ["27T23a", "28T00a"]


def test_an_object_can_have_receipts_of_the_next_hour(deployment: Any) -> None:
    # It is under the hour of its oldest receipt.
    _put(deployment, NOON - timedelta(hours=1))
    assert _read(deployment, NOON + timedelta(minutes=14), NOON + timedelta(minutes=15)) == ["27T11a"]
    assert _read(deployment, NOON + timedelta(minutes=15), NOON + timedelta(minutes=16)) == []


def test_all_objects_of_an_hour_are_read_in_their_order(deployment: Any) -> None:
    names = [f"{number:03}" for number in range(2 * PARALLEL_OBJECTS + 1)]
    for name in names:
        _put(deployment, NOON, name)
    assert _read(deployment, NOON, NOON) == [f"27T12{name}" for name in names]


def test_other_objects_are_not_read(deployment: Any) -> None:
    deployment.client("s3").put_object(Bucket=BUCKET, Key="errors/processing-failed/2026-11-27/a", Body=b"{}")
    assert _read(deployment, NOON, NOON) == []


def test_a_broken_receipt_is_named(deployment: Any) -> None:
    _put(deployment, NOON, content=b"{}")
    with pytest.raises(OperatorError, match=r"s3://ledger-of-reader/receipts/date=2026-11-27/hour=12/a\.ndjson\.gz"):
        _read(deployment, NOON, NOON)


def test_a_stack_without_a_ledger_has_to_be_upgraded(emulator: Emulator) -> None:
    deployment: Any = BucketOnly(emulator, outputs={})
    with pytest.raises(OperatorError, match="Stack Metering has no ledger: upgrade it first"):
        _read(deployment, NOON, NOON)
