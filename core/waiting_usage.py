"""Usage that is neither counted nor lost: it waits in the rejected table, in the queue, or in the dead-letter queue."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypedDict

from amberflo_workflows.core.rejected_item import EVENT_ID_PREFIX, OPEN_STATUSES, RejectedItem, from_attributes
from amberflo_workflows.core.usage_record import MAX_AHEAD_MILLIS, InvalidUsage, parse_time_in_millis

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

# What BatchGetItem reads at most.
_MAX_BATCH: Final = 100
# As in infra.operations, which Lambdas do not have.
STATUS_INDEX: Final = "ByStatus"
# Rejected usage is counted up to this. Beyond it, a number says nothing more.
MAX_REJECTED: Final = 10_000


class WaitingMessages(TypedDict):
    """Events of usage in a queue, by SQS's approximate numbers."""

    queued: int
    dead: int


@dataclass(frozen=True)
class UsageFilter:
    """Usage between epoch seconds, of one meter or of all, and of one tenant or of all."""

    start: int
    end: int
    meter: str | None = None
    tenant: str | None = None

    def matches(self, item: RejectedItem) -> bool:
        """Whether the usage of an item, or one that it may be once it is corrected, is meant."""
        if self.meter not in {None, "", item.meter_api_name} or self.tenant not in {None, item.tenant_id}:
            return False
        seconds = _find_time(item)
        return seconds is None or self.start <= seconds < self.end


def count_rejected(dynamodb: "DynamoDBClient", table: str, usage_filter: UsageFilter, limit: int) -> int:
    """Count the rejected usage that is not corrected and not dropped yet; at most ``limit``.

    A usage whose time cannot be read counts in every range. Raises botocore's errors.
    """
    count = 0
    for item in _read_open_items(dynamodb, table, usage_filter.start):
        count += usage_filter.matches(item)
        if count >= limit:
            break
    return count


def count_messages(sqs: "SQSClient", queue_url: str, dead_letters_url: str) -> WaitingMessages:
    """Count the events in the usage queue and in its dead-letter queue. Raises botocore's errors."""
    return {"queued": _count(sqs, queue_url), "dead": _count(sqs, dead_letters_url)}


def _count(sqs: "SQSClient", url: str) -> int:
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return sum(int(value) for name, value in attributes.items() if name.startswith("ApproximateNumberOfMessages"))


def _read_open_items(dynamodb: "DynamoDBClient", table: str, start: int) -> Iterator[RejectedItem]:
    """Read the items that were rejected after the start of a range: usage is rejected after its time."""
    first = datetime.fromtimestamp(start - MAX_AHEAD_MILLIS // 1000, UTC).isoformat()
    for status in OPEN_STATUSES:
        pages = dynamodb.get_paginator("query").paginate(
            TableName=table,
            IndexName=STATUS_INDEX,
            KeyConditionExpression="#status = :status AND rejectedAt >= :first",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={":status": {"S": status}, ":first": {"S": first}},
        )
        for page in pages:
            ids = [item["id"]["S"] for item in page["Items"] if not item["id"]["S"].startswith(EVENT_ID_PREFIX)]
            for number in range(0, len(ids), _MAX_BATCH):
                yield from _read_batch(dynamodb, table, ids[number : number + _MAX_BATCH])


def _read_batch(dynamodb: "DynamoDBClient", table: str, ids: list[str]) -> Iterator[RejectedItem]:
    request: Any = {table: {"Keys": [{"id": {"S": item_id}} for item_id in ids]}}
    while request:
        response = dynamodb.batch_get_item(RequestItems=request)
        items = map(from_attributes, response["Responses"].get(table, []))
        yield from (item for item in items if item.status in OPEN_STATUSES)
        request = response.get("UnprocessedKeys")


def _find_time(item: RejectedItem) -> float | None:
    """Return the time of a rejected usage in epoch seconds, if it can be read."""
    original = item.original if isinstance(item.original, dict) else {}
    usage = original.get("usage")
    millis = usage.get("meterTimeInMillis") if isinstance(usage, dict) else None
    if isinstance(millis, int | float) and not isinstance(millis, bool) and millis > 0:
        return millis / 1000
    try:
        return parse_time_in_millis(str(original.get("eventTime", ""))) / 1000
    except InvalidUsage:
        return None
