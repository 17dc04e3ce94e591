"""How much usage is on its way, and how much waits for a person."""

from typing import Final, NamedTuple

from amberflo_workflows.console.state import Console
from amberflo_workflows.core.rejected_item import OPEN_STATUSES
from amberflo_workflows.operate.rejected.table import RejectedTable

_WAITING: Final = "ApproximateNumberOfMessages"
_IN_FLIGHT: Final = "ApproximateNumberOfMessagesNotVisible"


class Counts(NamedTuple):
    """Events in the queues, which SQS only estimates, and open items of the rejected table."""

    waiting: int
    in_flight: int
    rejected: int
    dead_usage: int
    dead_tenant_events: int


def counts(console: Console) -> Counts:
    """As they are now. Raises botocore's errors."""
    waiting, in_flight = _messages(console, "UsageQueueUrl")
    return Counts(
        waiting=waiting,
        in_flight=in_flight,
        rejected=RejectedTable(console.deployment).count(OPEN_STATUSES),
        # What somebody looks at is hidden for a moment, and still dead.
        dead_usage=sum(_messages(console, "UsageDeadLetterQueueUrl")),
        dead_tenant_events=sum(_messages(console, "TenantDeadLetterQueueUrl")),
    )


def _messages(console: Console, queue: str) -> tuple[int, int]:
    """Those that wait in the queue of an output, and those that somebody has taken and not finished."""
    found = console.client("sqs").get_queue_attributes(
        QueueUrl=console.deployment.outputs[queue], AttributeNames=[_WAITING, _IN_FLIGHT]
    )["Attributes"]
    return int(found[_WAITING]), int(found[_IN_FLIGHT])
