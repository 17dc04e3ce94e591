"""Usage that is too large for a workflow: put into the rejected table from here, as ``ingest_usage`` would."""

import gzip
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricUnit

from amberflo_workflows.core import aws
from amberflo_workflows.core.chunks import TOO_LARGE_REASON
from amberflo_workflows.core.reported_usage import RejectedUsage, ReportedUsage, build_rejected_usage

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

logger = Logger(child=True)

# An item may have 400 kB in all.
MAX_ORIGINAL_BYTES: Final = 380_000


class UsageTooLarge(ValueError):
    """Not even compressed does it fit into the rejected table."""


def dynamodb_client() -> "DynamoDBClient":
    """The client for :func:`reject_oversized`."""
    dynamodb: DynamoDBClient = aws.client("dynamodb", read_seconds=4)
    return dynamodb


def reject_oversized(usage: ReportedUsage, table: str, dynamodb_client: "DynamoDBClient") -> RejectedUsage:
    """Keep it in the rejected table, once however often it comes. Raises :class:`UsageTooLarge`, botocore's errors."""
    refused = build_rejected_usage(usage, 0, TOO_LARGE_REASON)
    try:
        dynamodb_client.put_item(
            TableName=table,
            ConditionExpression="attribute_not_exists(id)",
            Item={
                **{
                    name: {"S": str(refused[name])} for name in ("id", "reason", "uniqueId", "tenantId", "meterApiName")
                },
                "original": _original(msgspec.json.encode(usage).decode()),
                "executionArn": {"S": ""},
                "rejectedAt": {"S": datetime.now(UTC).isoformat()},
                "status": {"S": "rejected"},
            },
        )
    except dynamodb_client.exceptions.ConditionalCheckFailedException:
        logger.info("usage is parked already", extra={"id": refused["id"]})
    _count()
    return refused


def _count() -> None:
    """The alarm on refused usage watches one metric, whoever refused it."""
    with single_metric(name="UsagesRejected", unit=MetricUnit.Count, value=1) as metric:
        metric.add_dimension("service", "send_usages")


def _original(text: str) -> Any:
    """The text as it is, or compressed where it would not fit."""
    if len(text.encode()) <= MAX_ORIGINAL_BYTES:
        return {"S": text}
    packed = gzip.compress(text.encode(), mtime=0)
    if len(packed) > MAX_ORIGINAL_BYTES:
        raise UsageTooLarge(f"a usage has {len(text.encode()):,} bytes, {len(packed):,} compressed")
    return {"B": packed}
