"""Batches of usage events for the deployed queue function."""

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

from amberflo_workflows.local.system import System

TENANTS, METER = 5, "api-calls"


def build_usage(number: int) -> dict[str, Any]:
    """A usage with a unique id, a time and two dimensions, as the emitter sends it."""
    return {
        "tenantId": f"tenant-{number % TENANTS}",
        "meterApiName": METER,
        "meterValue": number % 7 + 1,
        "meterTimeInMillis": int(time.time() * 1000),
        "uniqueId": str(uuid.uuid4()),
        "dimensions": {"region": "eu-west-1", "model": "small"},
    }


def build_details(count: int, usages_per_event: int) -> Iterator[Any]:
    """The details of events with ``usages_per_event`` usages each."""
    if usages_per_event == 1:
        yield from (build_usage(number) for number in range(count))
    else:
        for start in range(0, count, usages_per_event):
            yield {"records": [build_usage(number) for number in range(start, min(start + usages_per_event, count))]}


def build_message(number: int, detail: Any) -> dict[str, Any]:
    """An SQS message with the event, in the form in which Lambda passes it to a function."""
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


def build_batch(count: int, usages_per_event: int) -> list[dict[str, Any]]:
    """The messages of one batch with ``count`` usages."""
    return [build_message(number, detail) for number, detail in enumerate(build_details(count, usages_per_event))]


def invoke(system: System, messages: list[dict[str, Any]]) -> None:
    """Invoke the queue function with a batch. Raises RuntimeError if a message failed."""
    response = system.client("lambda").invoke(
        FunctionName=system.outputs["IngestQueueFunctionName"], Payload=json.dumps({"Records": messages})
    )
    payload = json.loads(response["Payload"].read())
    if payload != {"batchItemFailures": []}:
        raise RuntimeError(f"messages of the batch failed: {payload}")
