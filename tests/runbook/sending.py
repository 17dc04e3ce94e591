"""Send usage to a deployment's event bus, and compute the expected totals."""

import json
import uuid
from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

from amberflo_workflows.local.demo.run import batched

METER = "api-calls"


class Stack(Protocol):
    """The part of a deployment that these functions need."""

    @property
    def outputs(self) -> dict[str, str]:
        """The outputs of the stack."""

    def client(self, service: str) -> Any:
        """Return a boto3 client of a service."""


def build_usages(count: int) -> list[dict[str, Any]]:
    """Build usages of a new tenant."""
    tenant = f"tenant-{uuid.uuid4()}"
    return [
        {"tenantId": tenant, "meterApiName": METER, "meterValue": number % 7 + 1, "uniqueId": str(uuid.uuid4())}
        for number in range(count)
    ]


def send_usages(deployment: Stack, usages: Sequence[dict[str, Any]]) -> None:
    """Send each usage as an event."""
    for batch in batched(usages, 10):
        entries = [
            {
                "EventBusName": deployment.outputs["EventBusName"],
                "Source": "my.app",
                "DetailType": "ingestUsage",
                "Detail": json.dumps(usage),
            }
            for usage in batch
        ]
        assert deployment.client("events").put_events(Entries=entries)["FailedEntryCount"] == 0


def expected_totals(usages: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Sum usages by tenant."""
    sums: Counter[str] = Counter()
    for usage in usages:
        sums[usage["tenantId"]] += usage["meterValue"]
    return dict(sums)


def count_messages(deployment: Stack, queue: str = "UsageQueueUrl") -> int:
    """Count the messages of a queue, including those in flight."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    response = deployment.client("sqs").get_queue_attributes(QueueUrl=deployment.outputs[queue], AttributeNames=names)
    return sum(int(number) for number in response["Attributes"].values())
