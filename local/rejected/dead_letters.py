"""The dead-letter queue: events that could not be delivered, and the ways back.

Looking hides a message from others for a moment. What was redriven or dropped is kept in the rejected table.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from amberflo_workflows.entrypoints.usages import decoded, usages_in
from amberflo_workflows.local.deployment import Deployment
from amberflo_workflows.local.rejected.items import EVENT_PREFIX
from amberflo_workflows.local.rejected.table import RejectedTable

# Time to look at all messages and to do something with them.
HIDDEN_SECONDS: Final = 120
MOST_EVENTS: Final = 1_000
_A_CALL: Final = 10


@dataclass(frozen=True)
class DeadEvent:
    """An event in the queue. ``id`` is made of its text, so it is the same whenever one looks."""

    id: str
    text: str
    sent_in_millis: int
    receipt: str

    @property
    def usages(self) -> list[Any]:
        """The usages in it; of what is no event, the text."""
        event = decoded(self.text)
        detail = event["detail"] if isinstance(event, dict) and "detail" in event else self.text
        try:
            return [reported.usage for reported in usages_in(detail, event_id="", event_time="")]
        except RecursionError:
            return [self.text]

    @property
    def tenants(self) -> list[str]:
        """The tenants whose usage it is."""
        return sorted({str(usage.get("tenantId")) for usage in self.usages if isinstance(usage, dict)})


@dataclass(frozen=True)
class DeadLetters:
    """The dead-letter queue of a deployment. Methods raise botocore's errors."""

    deployment: Deployment

    @contextmanager
    def looked_at(self) -> Iterator[list[DeadEvent]]:
        """The events that are in the queue, visible again afterwards unless something was done with them."""
        seen: dict[str, DeadEvent] = {}
        try:
            for event in islice(self._received(), MOST_EVENTS):
                seen[event.receipt] = event
            yield list(seen.values())
        finally:
            self._show_again(list(seen))

    def redrive(self, event: DeadEvent) -> None:
        """Back into the queue of usage. Sent before it is deleted: twice is harmless, lost is not."""
        self._sqs.send_message(QueueUrl=self.deployment.outputs["UsageQueueUrl"], MessageBody=event.text)
        self._note(event, "redriven", "")
        self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=event.receipt)

    def drop(self, event: DeadEvent, why: str) -> None:
        """Give it up. It stays in the rejected table."""
        self._note(event, "dropped", why)
        self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=event.receipt)

    def _note(self, event: DeadEvent, status: Any, why: str) -> None:
        RejectedTable(self.deployment).note_event(event.id, event.text, status, why)

    def _received(self) -> Iterator[DeadEvent]:
        while True:
            messages = self._sqs.receive_message(
                QueueUrl=self._url,
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
                    id=EVENT_PREFIX + hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32],
                    text=text,
                    sent_in_millis=int(message["Attributes"]["SentTimestamp"]),
                    receipt=message["ReceiptHandle"],
                )

    def _show_again(self, receipts: list[str]) -> None:
        for start in range(0, len(receipts), _A_CALL):
            entries = [
                {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                for number, receipt in enumerate(receipts[start : start + _A_CALL])
            ]
            # Those that were deleted fail here, and may.
            self._sqs.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)

    @property
    def _sqs(self) -> Any:
        return self.deployment.client("sqs")

    @property
    def _url(self) -> str:
        return self.deployment.outputs["UsageDeadLetterQueueUrl"]
