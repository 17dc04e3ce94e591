"""Which refused usages are looked at, and which of them something can be done with."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple, cast
from urllib.parse import urlencode

from amberflo_workflows.console.usage_fields import short
from amberflo_workflows.core.rejected_item import OPEN_STATUSES, STATUSES, RejectedItem, Status
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.rejected.items import ItemFilter

Action = Literal["redrive", "drop"]
PAGE_SIZE: Final = 50
CHOICES: Final[Mapping[str, tuple[Status, ...]]] = {
    "open": OPEN_STATUSES,
    "all": STATUSES,
    **{status: (status,) for status in STATUSES},
}
_SPAN_OF_CALENDARS: Final = 253_402_300_800_000


@dataclass(frozen=True)
class ListQuery:
    """What a page's address asks for."""

    tenant: str = ""
    meter: str = ""
    reason: str = ""
    status: str = "open"

    @classmethod
    def of(cls, given: Mapping[str, object]) -> "ListQuery":
        """From a query or a form. Raises :class:`OperatorError`."""
        tenant, meter, reason, status = (str(given.get(name, "")) for name in ("tenant", "meter", "reason", "status"))
        if status and status not in CHOICES:
            raise OperatorError(f"There is no status '{status}'; there are {', '.join(CHOICES)}.")
        return cls(tenant, meter, reason, status or "open")

    @property
    def wanted(self) -> ItemFilter:
        """What the table is asked for."""
        return ItemFilter(CHOICES[self.status], self.tenant or None, self.meter or None, self.reason or None)

    @property
    def is_filter(self) -> bool:
        """Whether anything is left out that is open."""
        return bool(self.tenant or self.meter or self.reason) or self.status not in {"open", "all"}

    def query(self, page: int = 1) -> str:
        """As a part of an address."""
        status = "" if self.status == "open" else self.status
        asked = {"tenant": self.tenant, "meter": self.meter, "reason": self.reason, "status": status}
        given = {name: value for name, value in asked.items() if value}
        return urlencode({**given, "page": page} if page > 1 else given)


def action_of(given: str) -> Action:
    """An action by its name. Raises :class:`OperatorError`."""
    if given not in {"redrive", "drop"}:
        raise OperatorError(f"There is no action '{given}'; there are redrive and drop.")
    return cast("Action", given)


def can(item: RejectedItem, action: Action) -> bool:
    """Whether an item's status and kind allow it; the table has the last word."""
    return item.status in OPEN_STATUSES and not item.is_event if action == "redrive" else item.status == "rejected"


def fingerprint(items: Iterable[RejectedItem]) -> str:
    """Stands for these very items as they are now."""
    seen = "\n".join(f"{item.id} {item.version}" for item in items)
    return hashlib.sha256(seen.encode()).hexdigest()


class ItemRow(NamedTuple):
    """An item, the value that it reports, and when it was used and refused, as far as that can be read."""

    item: RejectedItem
    value: str
    used: datetime | None
    refused: datetime | None


def build_row(item: RejectedItem) -> ItemRow:
    """What a list shows of an item."""
    return ItemRow(item, _value_of(item), _time_of(item), when(item.rejected_at))


def when(text: str) -> datetime | None:
    """An ISO 8601 time, if it is one."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _value_of(item: RejectedItem) -> str:
    usage = None if item.is_event else item.original["usage"]
    if isinstance(usage, dict):
        return short(usage["meterValue"]) if "meterValue" in usage else ""
    return short(item.original if item.is_event else usage)


def _time_of(item: RejectedItem) -> datetime | None:
    """Its own time; of a usage without one, that of the event."""
    if item.is_event:
        return None
    usage = item.original["usage"]
    own = usage.get("meterTimeInMillis") if isinstance(usage, dict) else None
    if isinstance(own, int | float) and 0 <= own < _SPAN_OF_CALENDARS:
        return datetime.fromtimestamp(own / 1000, UTC)
    return when(str(item.original.get("eventTime", ""))) if own is None else None
