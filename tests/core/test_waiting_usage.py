"""What is neither counted nor lost, in the table and the queues of the emulator."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from amberflo_workflows.core.rejected_item import RejectedItem, Status, to_attributes
from amberflo_workflows.core.waiting_usage import STATUS_INDEX, UsageFilter, count_messages, count_rejected
from amberflo_workflows.infra import operations
from amberflo_workflows.local.emulator import Emulator
from tests.core.ledger.entries import START

pytestmark = pytest.mark.emulator

TABLE = "rejected-of-waiting"
HOUR = UsageFilter(START, START + 3600)


@contextlib.contextmanager
def running_rejected_table(emulator: Emulator) -> Iterator[Any]:
    """The rejected table with its index, until the end of the ``with`` block. Yields a client."""
    client = emulator.client("dynamodb")
    names = ("id", "status", "rejectedAt")
    keys = [{"AttributeName": "status", "KeyType": "HASH"}, {"AttributeName": "rejectedAt", "KeyType": "RANGE"}]
    index = {"IndexName": STATUS_INDEX, "KeySchema": keys, "Projection": {"ProjectionType": "ALL"}}
    client.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
        GlobalSecondaryIndexes=[index],
        BillingMode="PAY_PER_REQUEST",
    )
    yield client
    client.delete_table(TableName=TABLE)


@contextlib.contextmanager
def running_queues(emulator: Emulator) -> Iterator[tuple[str, str]]:
    """Two queues, until the end of the ``with`` block. Yields their addresses."""
    client = emulator.client("sqs")
    urls = [client.create_queue(QueueName=f"waiting-{name}")["QueueUrl"] for name in ("usage", "dead")]
    yield urls[0], urls[1]
    for url in urls:
        client.delete_queue(QueueUrl=url)


def _build_item(number: int, *, status: Status = "rejected", second: int = 0, **changes: Any) -> RejectedItem:
    """An item whose usage is so many seconds after ``START``."""
    usage = {"tenantId": "t", "meterApiName": "m", "meterTimeInMillis": (START + second) * 1000}
    item = RejectedItem(
        id=f"i{number}",
        status=status,
        reason="r",
        tenant_id="t",
        meter_api_name="m",
        unique_id="u",
        rejected_at="2026-11-27T18:00:00.000Z",
        execution_arn="arn",
        original={"eventId": "e", "eventTime": "2026-11-27T15:00:00Z", "index": 0, "usage": usage},
    )
    return replace(item, **changes)


def _count(emulator: Emulator, *items: RejectedItem, usage_filter: UsageFilter = HOUR, limit: int = 1000) -> int:
    with running_rejected_table(emulator) as client:
        for item in items:
            client.put_item(TableName=TABLE, Item=to_attributes(item))
        return count_rejected(client, TABLE, usage_filter, limit)


def test_usage_that_is_neither_redriven_nor_dropped_waits(emulator: Emulator) -> None:
    statuses: tuple[Status, ...] = ("rejected", "redriving", "redriven", "dropped")
    assert _count(emulator, *(_build_item(number, status=status) for number, status in enumerate(statuses))) == 2


def test_usage_waits_in_the_range_of_its_own_time(emulator: Emulator) -> None:
    items = [_build_item(number, second=second) for number, second in enumerate((-1, 0, 3599, 3600))]
    assert _count(emulator, *items) == 2


@pytest.mark.parametrize(
    ("usage", "event_time", "count"),
    [
        ({"meterApiName": "m"}, "2026-11-27T15:30:00Z", 1),
        ({"meterApiName": "m"}, "2026-11-27T16:30:00Z", 0),
        # Its time is not known, so it may be of any range.
        ({"meterTimeInMillis": "soon"}, "", 1),
        ("text of a row", "", 1),
        (None, "junk", 1),
        ({"meterTimeInMillis": True}, "2026-11-27T16:30:00Z", 0),
        ({"meterTimeInMillis": -5}, "2026-11-27T15:30:00Z", 1),
    ],
)
def test_the_time_of_a_usage_is_its_own_or_that_of_its_event(
    emulator: Emulator, usage: Any, event_time: str, count: int
) -> None:
    original = {"eventId": "e", "eventTime": event_time, "index": 0, "usage": usage}
    assert _count(emulator, _build_item(1, original=original)) == count


def test_a_meter_and_a_tenant_limit_what_waits(emulator: Emulator) -> None:
    items = [_build_item(1), _build_item(2, tenant_id="other"), _build_item(3, meter_api_name="other")]
    assert _count(emulator, *items, usage_filter=replace(HOUR, tenant="t")) == 2
    assert _count(emulator, *items, usage_filter=replace(HOUR, meter="m")) == 2
    assert _count(emulator, *items, usage_filter=replace(HOUR, meter="m", tenant="t")) == 1


def test_events_are_not_usage_and_a_count_has_a_limit(emulator: Emulator) -> None:
    event = _build_item(1, id="event-1", original="{}")
    assert _count(emulator, event, _build_item(2)) == 1
    assert _count(emulator, *(_build_item(number) for number in range(150)), limit=120) == 120
    assert _count(emulator, *(_build_item(number) for number in range(250))) == 250


def test_messages_wait_whether_they_are_visible_or_not(emulator: Emulator) -> None:
    client = emulator.client("sqs")
    with running_queues(emulator) as (queue, dead_letters):
        for number in range(3):
            client.send_message(QueueUrl=queue, MessageBody=str(number))
        client.receive_message(QueueUrl=queue, MaxNumberOfMessages=1)
        client.send_message(QueueUrl=queue, MessageBody="later", DelaySeconds=900)
        client.send_message(QueueUrl=dead_letters, MessageBody="dead")
        assert count_messages(client, queue, dead_letters) == {"queued": 4, "dead": 1}


def test_the_name_of_the_index_is_that_of_the_table() -> None:
    assert STATUS_INDEX == operations.STATUS_INDEX
