"""Store usage that is too large for a workflow in the rejected table, as ``ingest_usage`` would."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
from aws_lambda_powertools import Logger

from amberflo_workflows.core import aws
from amberflo_workflows.core.chunks import TOO_LARGE_REASON
from amberflo_workflows.core.observability import count_rejected
from amberflo_workflows.core.rejected_item import RejectedItem, to_attributes
from amberflo_workflows.core.reported_usage import RejectedUsage, ReportedUsage, build_rejected_usage

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

logger = Logger(child=True)


def dynamodb_client() -> "DynamoDBClient":
    """Return the client for :func:`reject_oversized`."""
    dynamodb: DynamoDBClient = aws.client("dynamodb", read_seconds=4)
    return dynamodb


def reject_oversized(usage: ReportedUsage, table: str, dynamodb_client: "DynamoDBClient") -> RejectedUsage:
    """Store a usage in the rejected table, once however often it is delivered.

    Raises :class:`~amberflo_workflows.core.rejected_item.ItemTooLarge` and botocore's errors.
    """
    rejected = build_rejected_usage(usage, 0, TOO_LARGE_REASON)
    item = RejectedItem(
        id=rejected["id"],
        status="rejected",
        reason=rejected["reason"],
        tenant_id=rejected["tenantId"],
        meter_api_name=rejected["meterApiName"],
        unique_id=rejected["uniqueId"],
        rejected_at=datetime.now(UTC).isoformat(),
        execution_arn="",
        original=msgspec.to_builtins(usage),
    )
    try:
        dynamodb_client.put_item(
            TableName=table, ConditionExpression="attribute_not_exists(id)", Item=to_attributes(item)
        )
    except dynamodb_client.exceptions.ConditionalCheckFailedException:
        logger.info("usage is parked already", extra={"id": rejected["id"]})
    count_rejected(1)
    return rejected
