"""Filter the items of the rejected table."""

from dataclasses import dataclass

from amberflo_workflows.core.rejected_item import OPEN_STATUSES, RejectedItem, Status


@dataclass(frozen=True)
class ItemFilter:
    """Criteria that must all match; ``reason`` is a part of the item's reason, in any case."""

    statuses: tuple[Status, ...] = OPEN_STATUSES
    tenant: str | None = None
    meter: str | None = None
    reason: str | None = None

    def matches(self, item: RejectedItem) -> bool:
        """Whether an item matches."""
        return (
            item.status in self.statuses
            and self.tenant in {None, item.tenant_id}
            and self.meter in {None, item.meter_api_name}
            and (self.reason is None or self.reason.lower() in item.reason.lower())
        )
