"""Usage that is too large for a workflow, in the emulator's rejected table."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from amberflo_workflows.core import aws
from amberflo_workflows.core.chunks import TOO_LARGE_REASON
from amberflo_workflows.core.observability import REJECTED
from amberflo_workflows.core.rejected_item import ItemTooLarge, from_attributes
from amberflo_workflows.core.reported_usage import ReportedUsage, build_rejected_usage
from amberflo_workflows.entrypoints.oversized import dynamodb_client, reject_oversized
from amberflo_workflows.local.emulator import Emulator
from tests.tables import running_table

TABLE = "Rejected"
USAGE = {"tenantId": "acme", "meterApiName": "api-calls", "meterValue": 1, "uniqueId": "u-1", "note": "x" * 110_000}
REPORTED = ReportedUsage("e-1", "2026-01-01T00:00:00Z", 4, USAGE)


@pytest.fixture
def dynamodb(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    aws.client.cache_clear()
    with running_table(emulator, TABLE) as client:
        yield client


def _items(dynamodb: Any) -> list[Any]:
    return [from_attributes(item) for item in dynamodb.scan(TableName=TABLE)["Items"]]


def test_the_item_is_that_of_a_usage_that_the_workflow_rejects(dynamodb: Any) -> None:
    before = datetime.now(UTC)
    rejected = reject_oversized(REPORTED, TABLE, dynamodb_client())
    assert rejected == build_rejected_usage(REPORTED, 0, TOO_LARGE_REASON)
    (item,) = _items(dynamodb)
    assert (item.id, item.status, item.reason) == (rejected["id"], "rejected", TOO_LARGE_REASON)
    assert (item.tenant_id, item.meter_api_name, item.unique_id) == ("acme", "api-calls", "u-1")
    assert item.original == {"eventId": "e-1", "eventTime": "2026-01-01T00:00:00Z", "index": 4, "usage": USAGE}
    assert before <= datetime.fromisoformat(item.rejected_at) <= datetime.now(UTC)
    assert item.execution_arn == ""


def test_a_usage_that_is_delivered_again_stays_as_a_person_left_it(dynamodb: Any) -> None:
    first = reject_oversized(REPORTED, TABLE, dynamodb_client())
    dynamodb.update_item(
        TableName=TABLE,
        Key={"id": {"S": first["id"]}},
        UpdateExpression="SET #s = :s",
        ExpressionAttributeNames={"#s": "status"},
        ExpressionAttributeValues={":s": {"S": "dropped"}},
    )
    assert reject_oversized(REPORTED, TABLE, dynamodb_client()) == first
    assert [item.status for item in _items(dynamodb)] == ["dropped"]


def test_a_usage_that_was_not_stored_is_an_error(dynamodb: Any) -> None:
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        reject_oversized(REPORTED, "not-there", dynamodb_client())
    # Not to be compressed below the limit of an item.
    large = {**USAGE, "note": "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(400_000))}
    with pytest.raises(ItemTooLarge):
        reject_oversized(ReportedUsage("e-2", "", 0, large), TABLE, dynamodb_client())
    assert _items(dynamodb) == []


def test_each_rejection_counts_for_the_alarm(dynamodb: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        reject_oversized(REPORTED, TABLE, dynamodb_client())
    assert [json.loads(line)[REJECTED] for line in capsys.readouterr().out.splitlines()] == [1, 1]
    assert len(_items(dynamodb)) == 1
