"""The usage queue of a deployment: what waits in it, and whether a function takes it."""

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    # It imports boto3, which the help of a command need not wait for.
    from amberflo_workflows.operate.deployment import Deployment

_VISIBLE: Final = "ApproximateNumberOfMessages"
_IN_FLIGHT: Final = "ApproximateNumberOfMessagesNotVisible"
# States in which Lambda reads the queue, also while it applies a new configuration.
_READING: Final = {"Enabled", "Updating", "Creating", "Enabling"}


class UsageQueue(NamedTuple):
    """Events that wait and events that are being processed, by SQS's estimate; ``is_read`` is whether Lambda polls."""

    waiting: int
    in_flight: int
    is_read: bool

    @property
    def problem(self) -> str:
        """What is wrong; empty if nothing is."""
        if self.is_read:
            return ""
        return (
            f"Nothing takes usage from the queue. Events that wait in it: {self.waiting:,}. The function ingest_queue "
            "has no enabled event source mapping."
        )


def read_usage_queue(deployment: "Deployment") -> UsageQueue:
    """Read the state of the queue. Raises botocore's errors."""
    attributes = deployment.client("sqs").get_queue_attributes(
        QueueUrl=deployment.outputs["UsageQueueUrl"], AttributeNames=[_VISIBLE, _IN_FLIGHT, "QueueArn"]
    )["Attributes"]
    pages = (
        deployment.client("lambda")
        .get_paginator("list_event_source_mappings")
        .paginate(EventSourceArn=attributes["QueueArn"], FunctionName=deployment.outputs["IngestQueueFunctionName"])
    )
    is_read = any(state in _READING for state in pages.search("EventSourceMappings[].State"))
    return UsageQueue(int(attributes[_VISIBLE]), int(attributes[_IN_FLIGHT]), is_read)
