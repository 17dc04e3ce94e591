"""The dead-letter queues, of usage and of tenants: events that could not be dealt with, and the ways back.

Looking hides a message from others for a moment. What was redriven or dropped is kept in the rejected table.
"""

import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from amberflo_workflows.core.chunks import extract_usages
from amberflo_workflows.core.json_text import parse_json
from amberflo_workflows.core.rejected_item import EVENT_ID_PREFIX
from amberflo_workflows.core.tenant import InvalidTenantEvent, parse_tenant
from amberflo_workflows.infra.operations import OPERATIONS
from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.rejected.table import RejectedTable

# Time to look at all messages and to do something with them.
HIDDEN_SECONDS: Final = 120
MOST_EVENTS: Final = 1_000
# The detail-types of the events that start a workflow by themselves.
TENANT_EVENTS: Final = {operation.name: operation.detail_types for operation in OPERATIONS if operation.detail_types}
_QUEUES: Final = ("UsageDeadLetterQueueUrl", "TenantDeadLetterQueueUrl")
_A_CALL: Final = 10


@dataclass(frozen=True)
class DeadEvent:
    """An event in a queue. ``id`` is made of its text, so it is the same whenever one looks."""

    id: str
    text: str
    sent_in_millis: int
    queue_url: str
    receipt: str

    @property
    def detail_type(self) -> str:
        """What the event is, as EventBridge calls it; empty if this is none."""
        event = parse_json(self.text)
        return str(event.get("detail-type", "")) if isinstance(event, dict) else ""

    @property
    def workflow(self) -> str | None:
        """The workflow that a tenant event starts; ``None`` for usage."""
        return next((name for name, types in TENANT_EVENTS.items() if self.detail_type in types), None)

    @property
    def usages(self) -> list[Any]:
        """The usages in it; of what is no event, the text; none in a tenant event."""
        if self.workflow:
            return []
        event = parse_json(self.text)
        detail = event["detail"] if isinstance(event, dict) and "detail" in event else self.text
        try:
            return [reported.usage for reported in extract_usages(detail, event_id="", event_time="")]
        except RecursionError:
            return [self.text]

    @property
    def tenants(self) -> list[str]:
        """The tenants that it is about."""
        if self.workflow:
            try:
                return [parse_tenant(parse_json(self.text)).id]
            except InvalidTenantEvent:
                return []
        return sorted({str(usage.get("tenantId")) for usage in self.usages if isinstance(usage, dict)})


@dataclass(frozen=True)
class DeadLetters:
    """The dead-letter queues of a deployment. Methods raise botocore's errors."""

    deployment: Deployment

    @contextmanager
    def looked_at(self) -> Iterator[list[DeadEvent]]:
        """The events that are in the queues, visible again afterwards unless something was done with them."""
        sqs, urls = self._sqs, [self.deployment.outputs[name] for name in _QUEUES]
        found: list[list[DeadEvent]] = [[] for _ in urls]

        def look(url: str, events: list[DeadEvent]) -> None:
            events.extend(islice(_received(sqs, url), MOST_EVENTS))

        try:
            # At once: that a queue holds no more is only known after a wait.
            with ThreadPoolExecutor(len(urls)) as pool:
                list(pool.map(look, urls, found))
            yield [event for events in found for event in events]
        finally:
            self._show_again(event for events in found for event in events)

    def redrive(self, event: DeadEvent) -> None:
        """On its way again, as it is. Sent before it is deleted: twice is harmless, lost is not."""
        if event.workflow:
            machine = self.deployment.state_machine_arns[event.workflow]
            self.deployment.client("stepfunctions").start_execution(stateMachineArn=machine, input=event.text)
        else:
            self._sqs.send_message(QueueUrl=self.deployment.outputs["UsageQueueUrl"], MessageBody=event.text)
        self._note(event, "redriven", "")
        self._sqs.delete_message(QueueUrl=event.queue_url, ReceiptHandle=event.receipt)

    def drop(self, event: DeadEvent, why: str) -> None:
        """Give it up. It stays in the rejected table."""
        self._note(event, "dropped", why)
        self._sqs.delete_message(QueueUrl=event.queue_url, ReceiptHandle=event.receipt)

    def _note(self, event: DeadEvent, status: Any, why: str) -> None:
        RejectedTable(self.deployment).note_event(event.id, event.text, status, why)

    def _show_again(self, events: Iterable[DeadEvent]) -> None:
        for event in events:
            # Those that were deleted fail here, and may.
            self._sqs.change_message_visibility_batch(
                QueueUrl=event.queue_url,
                Entries=[{"Id": "0", "ReceiptHandle": event.receipt, "VisibilityTimeout": 0}],
            )

    @property
    def _sqs(self) -> Any:
        return self.deployment.client("sqs")


def _received(sqs: Any, queue_url: str) -> Iterator[DeadEvent]:
    while True:
        messages = sqs.receive_message(
            QueueUrl=queue_url,
            MaxNumberOfMessages=_A_CALL,
            VisibilityTimeout=HIDDEN_SECONDS,
            # A short poll asks a part of the queue only, and may find nothing in it.
            WaitTimeSeconds=1,
            MessageSystemAttributeNames=["SentTimestamp"],
        ).get("Messages", [])
        if not messages:
            return
        for message in messages:
            text = message["Body"]
            yield DeadEvent(
                id=EVENT_ID_PREFIX + hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32],
                text=text,
                sent_in_millis=int(message["Attributes"]["SentTimestamp"]),
                queue_url=queue_url,
                receipt=message["ReceiptHandle"],
            )
