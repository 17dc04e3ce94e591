"""Usage events as the queue hands them out."""

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

from amberflo_workflows.local.system import System

TENANTS = 5


def usage(number: int) -> dict[str, Any]:
    """A usage with an identity and a time of its own, and two dimensions, as the emitter sends it."""
    return {
        "tenantId": f"tenant-{number % TENANTS}",
        "meterApiName": "api-calls",
        "meterValue": number % 7 + 1,
        "meterTimeInMillis": int(time.time() * 1000),
        "uniqueId": str(uuid.uuid4()),
        "dimensions": {"region": "eu-west-1", "model": "small"},
    }


def details(count: int, an_event: int) -> Iterator[Any]:
    """The details of events with so many usages each."""
    if an_event == 1:
        yield from (usage(number) for number in range(count))
    else:
        for start in range(0, count, an_event):
            yield {"records": [usage(number) for number in range(start, min(start + an_event, count))]}


def message(number: int, detail: Any) -> dict[str, Any]:
    """An SQS message with the event, in the form that Lambda gives it."""
    envelope = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "ingestUsage",
        "source": "my.app",
        "account": "000000000000",
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "region": "us-east-1",
        "resources": [],
        "detail": detail,
    }
    return {
        "messageId": f"message-{number}",
        "receiptHandle": "handle",
        "body": json.dumps(envelope, separators=(",", ":")),
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": str(int(time.time() * 1000))},
        "eventSource": "aws:sqs",
    }


def batch(count: int, an_event: int) -> list[dict[str, Any]]:
    """So many usages as the messages of one batch."""
    return [message(number, detail) for number, detail in enumerate(details(count, an_event))]


def invoke(system: System, messages: list[dict[str, Any]]) -> None:
    """Hand a batch to the deployed function; raises unless all of it was dealt with."""
    answer = system.client("lambda").invoke(
        FunctionName=system.outputs["IngestQueueFunctionName"], Payload=json.dumps({"Records": messages})
    )
    payload = json.loads(answer["Payload"].read())
    if payload != {"batchItemFailures": []}:
        raise RuntimeError(f"the batch was not dealt with: {payload}")
