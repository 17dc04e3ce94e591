"""An item of the rejected table, and how DynamoDB keeps it."""

import gzip
import json
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from amberflo_workflows.core.tenant import EVENT_ITEM_PREFIX

Status = Literal["rejected", "redriving", "redriven", "dropped"]
STATUSES: Final[tuple[Status, ...]] = ("rejected", "redriving", "redriven", "dropped")
OPEN: Final[tuple[Status, ...]] = ("rejected", "redriving")
_STORED_PLAIN_BYTES: Final = 100_000


@dataclass(frozen=True)
class RejectedItem:
    """A refused usage. ``original`` is the reported usage: ``{eventId, eventTime, index, usage}``.

    An event that could not be delivered is kept as an item too, with the text of the event as its ``original``.
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
        """Whether this is an event that could not be dealt with, not a usage."""
        return self.id.startswith(EVENT_ITEM_PREFIX)

    @property
    def version(self) -> str:
        """Another one after each step that is taken with the item."""
        return f"{self.status}-{len(self.history)}"


@dataclass(frozen=True)
class ItemFilter:
    """Which items: all that is given has to match; ``reason`` is a part of it."""

    statuses: tuple[Status, ...] = OPEN
    tenant: str | None = None
    meter: str | None = None
    reason: str | None = None

    def takes(self, item: RejectedItem) -> bool:
        """Whether an item is meant."""
        return (
            item.status in self.statuses
            and self.tenant in {None, item.tenant_id}
            and self.meter in {None, item.meter_api_name}
            and (self.reason is None or self.reason.lower() in item.reason.lower())
        )


def read_item(found: dict[str, Any]) -> RejectedItem:
    """An item as DynamoDB has it."""

    def text(name: str) -> str:
        return str(found.get(name, {"S": ""})["S"])

    history = [
        {name: value["S"] for name, value in entry["M"].items()} for entry in found.get("history", {"L": []})["L"]
    ]
    original = found["original"]
    unpacked = original["S"] if "S" in original else gzip.decompress(original["B"]).decode()
    is_event = text("id").startswith(EVENT_ITEM_PREFIX)
    return RejectedItem(
        id=text("id"),
        status=text("status"),  # type: ignore[arg-type] # written by this module and the workflow only
        reason=text("reason"),
        tenant_id=text("tenantId"),
        meter_api_name=text("meterApiName"),
        unique_id=text("uniqueId"),
        rejected_at=text("rejectedAt"),
        execution_arn=text("executionArn"),
        original=unpacked if is_event else json.loads(unpacked),
        history=history,
    )


def compress_original(original: Any) -> dict[str, Any]:
    """An original as DynamoDB keeps it: compressed where it is large, since an item may have 400 kB."""
    text = json.dumps(original, ensure_ascii=False)
    return {"S": text} if len(text.encode()) <= _STORED_PLAIN_BYTES else {"B": gzip.compress(text.encode(), mtime=0)}
