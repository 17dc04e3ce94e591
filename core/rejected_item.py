"""An item of the rejected table, and how DynamoDB stores it.

The workflows write the same attributes in ASL; ``tests/core/test_rejected_item.py`` compares the names.
"""

import gzip
import json
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

Status = Literal["rejected", "redriving", "redriven", "dropped"]
STATUSES: Final[tuple[Status, ...]] = ("rejected", "redriving", "redriven", "dropped")
OPEN_STATUSES: Final[tuple[Status, ...]] = ("rejected", "redriving")
# The id of an event starts with it; the id of a usage is a hash.
EVENT_ID_PREFIX: Final = "event-"
# A larger original is compressed. One that is larger than the second limit after that does not fit into an item,
# which has at most 400 kB.
MAX_PLAIN_BYTES: Final = 100_000
MAX_ORIGINAL_BYTES: Final = 380_000


class ItemTooLarge(ValueError):
    """The original does not fit into an item of the rejected table, even compressed."""


@dataclass(frozen=True)
class RejectedItem:
    """A rejected usage. ``original`` is the reported usage: ``{eventId, eventTime, index, usage}``.

    An event that could not be processed or delivered is an item too. Its ``original`` is the text of the event.
    """

    id: str
    status: Status
    reason: str
    tenant_id: str
    meter_api_name: str
    unique_id: str
    rejected_at: str
    execution_arn: str
    original: Any
    history: list[dict[str, str]] = field(default_factory=list)

    @property
    def is_event(self) -> bool:
        """Whether this is an event, not a usage."""
        return self.id.startswith(EVENT_ID_PREFIX)

    @property
    def version(self) -> str:
        """A different text after each change of the item."""
        return f"{self.status}-{len(self.history)}"


def to_attributes(item: RejectedItem) -> dict[str, Any]:
    """Return an item's attributes for DynamoDB, without its history, to which only updates append.

    Raises :class:`ItemTooLarge`.
    """
    return {
        "id": {"S": item.id},
        "status": {"S": item.status},
        "reason": {"S": item.reason},
        "original": _original_attribute(item),
        "uniqueId": {"S": item.unique_id},
        "tenantId": {"S": item.tenant_id},
        "meterApiName": {"S": item.meter_api_name},
        "executionArn": {"S": item.execution_arn},
        "rejectedAt": {"S": item.rejected_at},
    }


def from_attributes(attributes: dict[str, Any]) -> RejectedItem:
    """Return the item that has these attributes in DynamoDB. Absent texts and an absent history are empty."""

    def text(name: str) -> str:
        return str(attributes.get(name, {"S": ""})["S"])

    history = attributes.get("history", {"L": []})["L"]
    original = attributes["original"]
    original_text = original["S"] if "S" in original else gzip.decompress(original["B"]).decode()
    return RejectedItem(
        id=text("id"),
        # Only this package and its workflows write it.
        status=cast("Status", text("status")),
        reason=text("reason"),
        tenant_id=text("tenantId"),
        meter_api_name=text("meterApiName"),
        unique_id=text("uniqueId"),
        rejected_at=text("rejectedAt"),
        execution_arn=text("executionArn"),
        original=original_text if text("id").startswith(EVENT_ID_PREFIX) else json.loads(original_text),
        history=[{name: value["S"] for name, value in entry["M"].items()} for entry in history],
    )


def compress(text: str) -> dict[str, bytes]:
    """Return a text as a compressed attribute. Raises :class:`ItemTooLarge`."""
    compressed = gzip.compress(text.encode(), mtime=0)
    if len(compressed) > MAX_ORIGINAL_BYTES:
        raise ItemTooLarge(
            f"It has {len(text.encode()):,} bytes, {len(compressed):,} compressed; the rejected table stores up to "
            f"{MAX_ORIGINAL_BYTES:,}."
        )
    return {"B": compressed}


def _original_attribute(item: RejectedItem) -> dict[str, Any]:
    if item.is_event:
        return compress(item.original)
    text = json.dumps(item.original, ensure_ascii=False)
    return {"S": text} if len(text.encode()) <= MAX_PLAIN_BYTES else compress(text)
