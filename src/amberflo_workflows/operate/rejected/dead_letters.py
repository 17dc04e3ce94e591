"""The dead-letter queues of usage and of tenant events: receive, redrive and drop their events.

Receiving a message hides it from others for a while. Redriven and dropped events are saved in the rejected table.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from amberflo_workflows.core.chunks import extract_usages
from amberflo_workflows.core.json_text import parse_json
from amberflo_workflows.core.rejected_item import EVENT_ID_PREFIX
from amberflo_workflows.core.reported_usage import text_member
from amberflo_workflows.core.tenant import InvalidTenantEvent, parse_tenant
from amberflo_workflows.infra.operations import OPERATIONS
from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.rejected.table import RejectedTable

# The time to receive all messages and to redrive or drop them.
VISIBILITY_TIMEOUT_SECONDS: Final = 120
MAX_EVENTS: Final = 1_000
# The detail-types of the events that start a workflow directly, by workflow.
TENANT_DETAIL_TYPES: Final = {
    operation.name: operation.detail_types for operation in OPERATIONS if operation.detail_types
}
_QUEUES: Final = ("UsageDeadLetterQueueUrl", "TenantDeadLetterQueueUrl")
_MAX_RECEIVED: Final = 10


@dataclass(frozen=True)
class DeadEvent:
    """An event in a dead-letter queue. ``id`` is a hash of its text, the same each time it is received.

    ``attributes`` are those of the message: EventBridge's, if it could not deliver the event to its target.
    """

    id: str
    text: str
    message_id: str
    attributes: Mapping[str, str]
    sent_in_millis: int
    queue_url: str
    receipt: str

    @property
    def event_id(self) -> str:
        """The id that EventBridge gave the event; empty if the text is not an event."""
        event = parse_json(self.text)
        return str(event.get("id", "")) if isinstance(event, dict) else ""

    @property
    def detail_type(self) -> str:
        """The event's ``detail-type``; empty if the text is not an event."""
        event = parse_json(self.text)
        return str(event.get("detail-type", "")) if isinstance(event, dict) else ""

    @property
    def workflow(self) -> str | None:
        """The workflow that a tenant event starts; ``None`` for usage."""
        return next((name for name, types in TENANT_DETAIL_TYPES.items() if self.detail_type in types), None)

    @property
    def usages(self) -> list[Any]:
        """The usages of the event; none for a tenant event, the text itself if it is not an event."""
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
        """The tenants of the event."""
        if self.workflow:
            try:
                return [parse_tenant(parse_json(self.text)).id]
            except InvalidTenantEvent:
                return []
        return sorted({tenant for usage in self.usages if (tenant := text_member(usage, "tenantId"))})


@dataclass(frozen=True)
class DeadLetters:
    """The dead-letter queues of a deployment. Methods raise botocore's errors."""

    deployment: Deployment

    @contextmanager
    def receive(self) -> Iterator[list[DeadEvent]]:
        """Receive the events of the queues; those not redriven or dropped become visible again afterwards."""
        sqs, urls = self._sqs, [self.deployment.outputs[name] for name in _QUEUES]
        received: list[list[DeadEvent]] = [[] for _ in urls]

        def receive_all(url: str, events: list[DeadEvent]) -> None:
            events.extend(islice(_receive(sqs, url), MAX_EVENTS))

        try:
            # In parallel, because an empty queue answers only after a wait.
            with ThreadPoolExecutor(len(urls)) as pool:
                list(pool.map(receive_all, urls, received))
            yield [event for events in received for event in events]
        finally:
            self._make_visible(event for events in received for event in events)

    def redrive(self, event: DeadEvent) -> None:
        """Send an event again, unchanged. It is sent first and then deleted: a duplicate is harmless, a loss is not."""
        if event.workflow:
            machine = self.deployment.state_machine_arns[event.workflow]
            self.deployment.client("stepfunctions").start_execution(stateMachineArn=machine, input=event.text)
        else:
            self._sqs.send_message(QueueUrl=self.deployment.outputs["UsageQueueUrl"], MessageBody=event.text)
        self._save(event, "redriven", "")
        self._sqs.delete_message(QueueUrl=event.queue_url, ReceiptHandle=event.receipt)

    def drop(self, event: DeadEvent, note: str) -> None:
        """Delete an event from its queue; it stays in the rejected table. ``note`` says why."""
        self._save(event, "dropped", note)
        self._sqs.delete_message(QueueUrl=event.queue_url, ReceiptHandle=event.receipt)

    def _save(self, event: DeadEvent, status: Any, note: str) -> None:
        RejectedTable(self.deployment).save_event(event.id, event.text, status, note)

    def _make_visible(self, events: Iterable[DeadEvent]) -> None:
        for event in events:
            # Fails for deleted events, which is expected.
            self._sqs.change_message_visibility_batch(
                QueueUrl=event.queue_url,
                Entries=[{"Id": "0", "ReceiptHandle": event.receipt, "VisibilityTimeout": 0}],
            )

    @property
    def _sqs(self) -> Any:
        return self.deployment.client("sqs")


def _receive(sqs: Any, queue_url: str) -> Iterator[DeadEvent]:
    while True:
        messages = sqs.receive_message(
            QueueUrl=queue_url,
            MaxNumberOfMessages=_MAX_RECEIVED,
            VisibilityTimeout=VISIBILITY_TIMEOUT_SECONDS,
            # A short poll queries only a part of the servers, and may miss messages.
            WaitTimeSeconds=1,
            MessageSystemAttributeNames=["SentTimestamp"],
            MessageAttributeNames=["All"],
        ).get("Messages", [])
        if not messages:
            return
        for message in messages:
            text = message["Body"]
            yield DeadEvent(
                id=EVENT_ID_PREFIX + hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32],
                text=text,
                message_id=message["MessageId"],
                attributes={
                    name: str(attribute.get("StringValue", ""))
                    for name, attribute in message.get("MessageAttributes", {}).items()
                },
                sent_in_millis=int(message["Attributes"]["SentTimestamp"]),
                queue_url=queue_url,
                receipt=message["ReceiptHandle"],
            )
