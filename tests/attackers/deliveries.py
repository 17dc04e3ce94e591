"""Usage events as SQS hands them to the deployed function: as text, which need not be what EventBridge would write."""

import json
import time
import uuid
from typing import Any

from amberflo_workflows.local.system import System


def usage(**members: Any) -> str:
    """A usage as JSON; members beside or in place of its own."""
    return json.dumps({"tenantId": "t1", "meterApiName": "api-calls", "meterValue": 1, **members})


def event(*usages: str) -> str:
    """The body of a message: an event with usages that are JSON already."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    envelope = {"id": str(uuid.uuid4()), "detail-type": "ingestUsage", "time": moment, "detail": "DETAIL"}
    return json.dumps(envelope).replace('"DETAIL"', f'{{"records": [{", ".join(usages)}]}}')


def deliver(system: System, *bodies: str) -> list[str]:
    """Hand messages to the queue's function; the ids of those that it wants again."""
    sent = {"SentTimestamp": str(int(time.time() * 1000)), "ApproximateReceiveCount": "1"}
    records = [
        {
            "messageId": f"message-{number}",
            "receiptHandle": "handle",
            "body": body,
            "attributes": sent,
            "messageAttributes": {},
            "md5OfBody": "",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:usage",
            "awsRegion": "us-east-1",
        }
        for number, body in enumerate(bodies)
    ]
    answer = system.client("lambda").invoke(
        FunctionName=system.outputs["IngestQueueFunctionName"], Payload=json.dumps({"Records": records})
    )
    payload = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, payload
    return [failure["itemIdentifier"] for failure in payload["batchItemFailures"]]


def refused(system: System, mark: str) -> list[dict[str, Any]]:
    """The refused usages that have a mark of the caller's own in them."""
    pages = system.client("dynamodb").get_paginator("scan").paginate(TableName=system.outputs["RejectedTableName"])
    items = [item for page in pages for item in page["Items"] if mark in str(item["original"])]
    return [{"reason": item["reason"]["S"], "usage": json.loads(item["original"]["S"])["usage"]} for item in items]
