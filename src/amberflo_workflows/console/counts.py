"""Counts of queued, rejected and dead events."""

from typing import Final, NamedTuple

from amberflo_workflows.console.state import Console
from amberflo_workflows.core.rejected_item import OPEN_STATUSES
from amberflo_workflows.operate.rejected.table import MAX_LISTED, RejectedTable

_VISIBLE: Final = "ApproximateNumberOfMessages"
_IN_FLIGHT: Final = "ApproximateNumberOfMessagesNotVisible"


class QueueCounts(NamedTuple):
    """Messages in the queues, as estimated by SQS, and open items of the rejected table."""

    waiting: int
    in_flight: int
    rejected: int
    dead_usage: int
    dead_tenant_events: int

    @property
    def rejected_text(self) -> str:
        """The number of open items, such as ``10000+``."""
        return format_limited(self.rejected, MAX_LISTED)


def fetch_counts(console: Console, rejected: int | None = None) -> QueueCounts:
    """Fetch the current counts, except that of open rejected items if it is known. Raises botocore's errors."""
    waiting, in_flight = _count_messages(console, "UsageQueueUrl")
    return QueueCounts(
        waiting=waiting,
        in_flight=in_flight,
        rejected=RejectedTable(console.deployment).count(OPEN_STATUSES) if rejected is None else rejected,
        # Messages that someone is viewing are in flight, and still dead.
        dead_usage=sum(_count_messages(console, "UsageDeadLetterQueueUrl")),
        dead_tenant_events=sum(_count_messages(console, "TenantDeadLetterQueueUrl")),
    )


def format_limited(count: int, limit: int) -> str:
    """Format a count that ends at a limit."""
    return f"{count}+" if count >= limit else str(count)


def _count_messages(console: Console, output: str) -> tuple[int, int]:
    """The numbers of visible and of in-flight messages in the queue of a stack output."""
    attributes = console.client("sqs").get_queue_attributes(
        QueueUrl=console.deployment.outputs[output], AttributeNames=[_VISIBLE, _IN_FLIGHT]
    )["Attributes"]
    return int(attributes[_VISIBLE]), int(attributes[_IN_FLIGHT])
