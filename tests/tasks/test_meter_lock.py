"""The step that locks a meter, against the emulator's DynamoDB."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from amberflo_workflows.core import aws
from amberflo_workflows.core.meter_lock import LOCK_SECONDS
from amberflo_workflows.local.emulator import Emulator
from amberflo_workflows.tasks.lock_meter import handler
from tests.tables import running_table

TABLE = "MeterLocks"


@pytest.fixture
def dynamodb(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in {**emulator.environment, "METER_LOCKS_TABLE_NAME": TABLE}.items():
        monkeypatch.setenv(name, value)
    aws.client.cache_clear()
    with running_table(emulator, TABLE) as client:
        yield client
    aws.client.cache_clear()


def _lock(meter_id: Any, execution: str, seconds: float = 2.1) -> Any:
    event = {"request": {"meterId": meter_id}, "execution": {"name": "run-1", "id": execution}}
    return handler({**event, "timeoutSeconds": seconds}, None)


def _end_lock(dynamodb: Any, meter_id: str, seconds: int) -> None:
    """Set the end of a lock to so many seconds from now."""
    dynamodb.update_item(
        TableName=TABLE,
        Key={"id": {"S": meter_id}},
        UpdateExpression="SET expiration = :end",
        ExpressionAttributeValues={":end": {"N": str(int(time.time()) + seconds)}},
    )


def test_only_one_execution_locks_a_meter(dynamodb: Any) -> None:
    assert _lock("m", "first")["statusCode"] == 200
    response = _lock("m", "second")
    assert (response["statusCode"], "changed nothing" in response["body"]["message"]) == (409, True)
    assert _lock("another", "second")["statusCode"] == 200
    item = dynamodb.get_item(TableName=TABLE, Key={"id": {"S": "m"}})["Item"]
    assert item["executionArn"] == {"S": "first"}
    assert 0 < int(item["expiration"]["N"]) - time.time() <= LOCK_SECONDS


@pytest.mark.usefixtures("dynamodb")
def test_a_retry_of_the_same_execution_keeps_its_lock() -> None:
    assert [_lock("m", "first")["statusCode"] for _ in range(2)] == [200, 200]


@pytest.mark.parametrize("seconds", [-1, 2])
def test_an_execution_waits_until_the_lock_of_a_dead_one_ends(dynamodb: Any, seconds: int) -> None:
    assert _lock("m", "dead")["statusCode"] == 200
    _end_lock(dynamodb, "m", seconds)
    assert _lock("m", "second", seconds=30)["statusCode"] == 200
    assert _lock("m", "dead")["statusCode"] == 409


@pytest.mark.parametrize(
    ("meter_id", "status"), [(None, 400), ("", 400), ("..", 400), (5, 400), ("\ud800", 400), ("x" * 100_001, 413)]
)
@pytest.mark.usefixtures("dynamodb")
def test_an_invalid_id_locks_nothing(meter_id: Any, status: int) -> None:
    assert _lock(meter_id, "first")["statusCode"] == status
