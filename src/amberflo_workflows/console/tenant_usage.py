"""A tenant's usage of each meter, as totals and sparklines."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from amberflo_workflows.operate.api_client import ApiClient
from amberflo_workflows.operate.usage_report import MeterUsage, fetch_all_usage, format_interval, format_number

DAYS: Final = 30
_DAY: Final = 86_400
_HEIGHT: Final = 28


class MeterOfTenant(NamedTuple):
    """A meter and the tenant's usage on each day."""

    meter: dict[str, Any]
    days: Sequence[tuple[str, float]]
    total: str

    @property
    def rectangles(self) -> Iterator[tuple[int, float, float]]:
        """The days with usage as (x, y, height), in a drawing 10 units wide per day and 29 units high."""
        largest = max((abs(value) for _, value in self.days), default=0)
        for index, (_, value) in enumerate(self.days):
            if value:
                height = max(round(abs(value) / largest * _HEIGHT, 1), 0.5)
                yield 10 * index + 1, round(_HEIGHT + 1 - height, 1), height

    @property
    def description(self) -> str:
        """The days with usage, for screen readers."""
        used = [f"{day} {format_number(value)}" for day, value in self.days if value]
        return ", ".join(used) or "no usage"


def fetch_meters(api: ApiClient, meters: Sequence[dict[str, Any]], tenant: str, now: int) -> list[MeterOfTenant]:
    """Fetch a tenant's usage of the last days, of all meters: first those with usage. Raises ``OperatorError``."""
    time_range = (now // _DAY - DAYS + 1) * _DAY, now + 1
    usages = [_build(usage) for usage in fetch_all_usage(api, meters, time_range, "DAY", {"tenantId": tenant})]
    return sorted(usages, key=lambda usage: not any(value for _, value in usage.days))


def _build(usage: MeterUsage) -> MeterOfTenant:
    values = [value for group in usage.groups for value in group.values]
    days = [(format_interval(value.begin, usage.interval), value.value) for value in values]
    return MeterOfTenant(usage.meter, days, format_number(usage.total))
