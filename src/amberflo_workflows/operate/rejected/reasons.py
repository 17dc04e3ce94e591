"""Rejected usage by reason: what has the same cause is often fixed together."""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from amberflo_workflows.operate.rejected.item_filter import ItemSummary


class ReasonGroup(NamedTuple):
    """Rejected usages with the same reason, their tenants and meters, and when the first and the last was rejected."""

    reason: str
    usages: int
    tenants: list[str]
    meters: list[str]
    first: str
    last: str


def group_by_reason(summaries: Iterable[ItemSummary]) -> list[ReasonGroup]:
    """Group items by their reason, the largest group first."""
    by_reason: dict[str, list[ItemSummary]] = defaultdict(list)
    for summary in summaries:
        by_reason[summary.reason].append(summary)
    groups = [_build_group(reason, items) for reason, items in by_reason.items()]
    return sorted(groups, key=lambda group: (-group.usages, group.reason))


def _build_group(reason: str, items: list[ItemSummary]) -> ReasonGroup:
    times = [item.rejected_at for item in items]
    return ReasonGroup(
        reason=reason,
        usages=len(items),
        tenants=sorted({item.tenant_id for item in items if item.tenant_id}),
        meters=sorted({item.meter_api_name for item in items if item.meter_api_name}),
        first=min(times),
        last=max(times),
    )
