"""Filter the items of the rejected table."""

from dataclasses import dataclass
from typing import NamedTuple

from amberflo_workflows.core.canonical import normalize_text
from amberflo_workflows.core.rejected_item import OPEN_STATUSES, RejectedItem, Status


class ItemSummary(NamedTuple):
    """What the index of the rejected table has of an item."""

    id: str
    status: Status
    reason: str
    tenant_id: str
    meter_api_name: str
    rejected_at: str


@dataclass(frozen=True)
class ItemFilter:
    """Criteria that must all match; ``reason`` is a part of the item's reason, in any case."""

    statuses: tuple[Status, ...] = OPEN_STATUSES
    tenant: str | None = None
    meter: str | None = None
    reason: str | None = None

    @property
    def has_criteria(self) -> bool:
        """Whether it is about more than the status."""
        return any(criterion is not None for criterion in (self.tenant, self.meter, self.reason))

    def matches(self, item: RejectedItem | ItemSummary) -> bool:
        """Whether an item matches."""
        return (
            item.status in self.statuses
            and _is_same(self.tenant, item.tenant_id)
            and _is_same(self.meter, item.meter_api_name)
            and (self.reason is None or self.reason.lower() in item.reason.lower())
        )


def _is_same(criterion: str | None, name: str) -> bool:
    # Both are normalized: items that were stored by version 0.1 have their names as they were sent.
    return criterion is None or normalize_text(criterion) == normalize_text(name)
