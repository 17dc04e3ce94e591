"""Messages with usage events for the deployed queue function, as raw text that EventBridge itself need not write."""

import json
import time
import uuid
from typing import Any

from amberflo_workflows.local.system import System


def usage(**members: Any) -> str:
    """A usage as JSON; ``members`` are added to it or replace its own."""
    return json.dumps({"tenantId": "t1", "meterApiName": "api-calls", "meterValue": 1, **members})


def event(*usages: str) -> str:
    """The body of a message: an event with usages that are JSON already."""
    event_time = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    envelope = {"id": str(uuid.uuid4()), "detail-type": "ingestUsage", "time": event_time, "detail": "DETAIL"}
    return json.dumps(envelope).replace('"DETAIL"', f'{{"records": [{", ".join(usages)}]}}')


def deliver(system: System, *bodies: str) -> list[str]:
    """Invoke the queue function with one message for each body. Returns the ids of the messages that failed."""
    attributes = {"SentTimestamp": str(int(time.time() * 1000)), "ApproximateReceiveCount": "1"}
    messages = [
        {
            "messageId": f"message-{number}",
            "receiptHandle": "handle",
            "body": body,
            "attributes": attributes,
            "messageAttributes": {},
            "md5OfBody": "",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:usage",
            "awsRegion": "us-east-1",
        }
        for number, body in enumerate(bodies)
    ]
    response = system.client("lambda").invoke(
        FunctionName=system.outputs["IngestQueueFunctionName"], Payload=json.dumps({"Records": messages})
    )
    payload = json.loads(response["Payload"].read())
    assert "FunctionError" not in response, payload
    return [failure["itemIdentifier"] for failure in payload["batchItemFailures"]]


def rejected_usages(system: System, mark: str) -> list[dict[str, Any]]:
    """The rejected usages that contain ``mark``, each with its reason."""
    pages = system.client("dynamodb").get_paginator("scan").paginate(TableName=system.outputs["RejectedTableName"])
    items = [item for page in pages for item in page["Items"] if mark in str(item["original"])]
    return [{"reason": item["reason"]["S"], "usage": json.loads(item["original"]["S"])["usage"]} for item in items]
