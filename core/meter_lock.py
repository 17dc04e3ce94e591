"""The lock on a meter: an item in a table under the meter's id. The workflow that set it deletes it at its end."""

import os
import time
from typing import TYPE_CHECKING, Final

from amberflo_workflows.core import aws

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# If an execution cannot delete its lock, the lock ends by itself after this time. It must not end while the execution
# may still write: a workflow with a lock ends within 25 s, and a step that it started 6 s later at the latest.
LOCK_SECONDS: Final = 35
_IS_FREE: Final = "attribute_not_exists(id) OR expiration < :now OR executionArn = :execution"


def dynamodb_client() -> "DynamoDBClient":
    """Return the client for :func:`set_lock`."""
    dynamodb: DynamoDBClient = aws.client("dynamodb", connect_seconds=1, read_seconds=1, attempts=3)
    return dynamodb


def set_lock(meter_id: str, execution_arn: str) -> bool:
    """Return whether the execution has the lock now, or already had it. Raises botocore's ``ClientError``."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - slows down cold starts, see core/aws.py

    now = int(time.time())
    lock = {"id": meter_id, "executionArn": execution_arn}
    try:
        dynamodb_client().put_item(
            TableName=os.environ["METER_LOCKS_TABLE_NAME"],
            Item={**{name: {"S": value} for name, value in lock.items()}, "expiration": {"N": str(now + LOCK_SECONDS)}},
            ConditionExpression=_IS_FREE,
            ExpressionAttributeValues={":now": {"N": str(now)}, ":execution": {"S": execution_arn}},
        )
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "ConditionalCheckFailedException":
            raise
        return False
    return True
