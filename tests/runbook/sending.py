"""Usage onto a deployment's bus, and what should come of it."""

import json
import uuid
from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

from amberflo_workflows.local.demo.run import batched

METER = "api-calls"


class Stack(Protocol):
    """As much of a deployment as is needed here."""

    @property
    def outputs(self) -> dict[str, str]:
        """Of its stack."""

    def client(self, service: str) -> Any:
        """A boto3 client of a service."""


def build_usages(count: int) -> list[dict[str, Any]]:
    """Usages of a tenant of their own."""
    tenant = f"tenant-{uuid.uuid4()}"
    return [
        {"tenantId": tenant, "meterApiName": METER, "meterValue": number % 7 + 1, "uniqueId": str(uuid.uuid4())}
        for number in range(count)
    ]


def send_usages(deployment: Stack, given: Sequence[dict[str, Any]]) -> None:
    """Each as an event."""
    for batch in batched(given, 10):
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


def expected_totals(given: Sequence[dict[str, Any]]) -> dict[str, int]:
    """What is to be counted of them, by tenant."""
    sums: Counter[str] = Counter()
    for usage in given:
        sums[usage["tenantId"]] += usage["meterValue"]
    return dict(sums)


def count_messages(deployment: Stack, queue: str = "UsageQueueUrl") -> int:
    """Messages in a queue, those at work included."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = deployment.client("sqs").get_queue_attributes(QueueUrl=deployment.outputs[queue], AttributeNames=names)
    return sum(int(number) for number in found["Attributes"].values())
