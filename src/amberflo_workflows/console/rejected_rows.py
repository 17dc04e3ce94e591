"""The list of rejected usage: its query, its rows, and the actions that each item allows."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple, cast
from urllib.parse import urlencode

from amberflo_workflows.console.usage_fields import format_value
from amberflo_workflows.core.rejected_item import OPEN_STATUSES, STATUSES, RejectedItem, Status
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.rejected.item_filter import ItemFilter

Action = Literal["redrive", "drop"]
PAGE_SIZE: Final = 50
STATUS_CHOICES: Final[Mapping[str, tuple[Status, ...]]] = {
    "waiting": OPEN_STATUSES,
    "all": STATUSES,
    **{status: (status,) for status in STATUSES},
}
# The end of the year 9999, the last one that datetime has.
_MAX_TIME_IN_MILLIS: Final = 253_402_300_800_000


@dataclass(frozen=True)
class ListQuery:
    """The filters of the list."""

    tenant: str = ""
    meter: str = ""
    reason: str = ""
    status: str = "waiting"

    @classmethod
    def parse(cls, params: Mapping[str, object]) -> "ListQuery":
        """Parse URL parameters or a form. Raises :class:`OperatorError`."""
        tenant, meter, reason, status = (str(params.get(name, "")) for name in ("tenant", "meter", "reason", "status"))
        if status and status not in STATUS_CHOICES:
            raise OperatorError(f"Unknown status '{status}'. Valid statuses: {', '.join(STATUS_CHOICES)}.")
        return cls(tenant, meter, reason, status or "waiting")

    @property
    def item_filter(self) -> ItemFilter:
        """The filter for the rejected table."""
        return ItemFilter(STATUS_CHOICES[self.status], self.tenant or None, self.meter or None, self.reason or None)

    @property
    def is_filter(self) -> bool:
        """Whether the list may hide items that are waiting."""
        return bool(self.tenant or self.meter or self.reason) or self.status not in {"waiting", "all"}

    def query_string(self, page: int = 1) -> str:
        """The query string of the list's URL."""
        status = "" if self.status == "waiting" else self.status
        params = {"tenant": self.tenant, "meter": self.meter, "reason": self.reason, "status": status}
        params = {name: value for name, value in params.items() if value}
        return urlencode({**params, "page": page} if page > 1 else params)


def parse_action(name: str) -> Action:
    """Parse the name of an action. Raises :class:`OperatorError`."""
    if name not in {"redrive", "drop"}:
        raise OperatorError(f"Unknown action '{name}'. Valid actions: redrive, drop.")
    return cast("Action", name)


def is_allowed(item: RejectedItem, action: Action) -> bool:
    """Whether an item's status and kind allow an action. The table checks it again when the action is done."""
    return item.status in OPEN_STATUSES and not item.is_event if action == "redrive" else item.status == "rejected"


def fingerprint(items: Iterable[RejectedItem]) -> str:
    """A hash that changes when one of the items changes."""
    versions = "\n".join(f"{item.id} {item.version}" for item in items)
    return hashlib.sha256(versions.encode()).hexdigest()


class ItemRow(NamedTuple):
    """An item with its value and its times. Times that are missing or invalid are ``None``."""

    item: RejectedItem
    value: str
    usage_time: datetime | None
    rejected_time: datetime | None


def build_row(item: RejectedItem) -> ItemRow:
    """Build the row of an item."""
    return ItemRow(item, _format_item_value(item), _parse_usage_time(item), parse_iso_time(item.rejected_at))


def parse_iso_time(text: str) -> datetime | None:
    """Parse an ISO 8601 time, in UTC unless it has another offset; ``None`` if it is invalid."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _format_item_value(item: RejectedItem) -> str:
    usage = None if item.is_event else item.original["usage"]
    if isinstance(usage, dict):
        return format_value(usage["meterValue"]) if "meterValue" in usage else ""
    return format_value(item.original if item.is_event else usage)


def _parse_usage_time(item: RejectedItem) -> datetime | None:
    """The usage's own time, or the time of its event if it has none."""
    if item.is_event:
        return None
    usage = item.original["usage"]
    millis = usage.get("meterTimeInMillis") if isinstance(usage, dict) else None
    if isinstance(millis, int | float) and 0 <= millis < _MAX_TIME_IN_MILLIS:
        return datetime.fromtimestamp(millis / 1000, UTC)
    return parse_iso_time(str(item.original.get("eventTime", ""))) if millis is None else None
