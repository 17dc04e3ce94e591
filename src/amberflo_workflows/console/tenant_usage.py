"""A tenant's usage of each meter, as totals and sparklines."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

from amberflo_workflows.console.problems import describe
from amberflo_workflows.core.meter import ADDITIVE_METER_TYPES
from amberflo_workflows.operate.api_client import ApiClient
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.usage_report import MeterUsage, fetch_usage, format_interval, format_number

DAYS: Final = 30
MAX_METERS: Final = 20
_DAY: Final = 86_400
_MAX_WORKERS: Final = 4
_HEIGHT: Final = 28


class MeterOfTenant(NamedTuple):
    """A meter and the tenant's usage on each day, or the ``problem`` that prevented its query."""

    meter: dict[str, Any]
    days: Sequence[tuple[str, float]] = ()
    total: str = ""
    problem: str = ""

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
    """Fetch a tenant's usage of the last days, of the first meters; each is an execution."""

    def fetch(meter: dict[str, Any]) -> MeterOfTenant:
        try:
            time_range = (now // _DAY - DAYS + 1) * _DAY, now + 1
            return _build(fetch_usage(api, meter, time_range, "DAY", {"tenantId": [tenant]}))
        except OperatorError as error:
            return MeterOfTenant(meter, problem=describe(error))

    with ThreadPoolExecutor(_MAX_WORKERS) as pool:
        return list(pool.map(fetch, meters[:MAX_METERS]))


def _build(usage: MeterUsage) -> MeterOfTenant:
    values = [value for group in usage.groups for value in group.values]
    days = [(format_interval(value.begin, usage.interval), value.value) for value in values]
    # The days of other types, such as distinct users, cannot be added up.
    is_additive = usage.meter.get("meterType") in ADDITIVE_METER_TYPES
    total = sum(group.total for group in usage.groups)
    return MeterOfTenant(usage.meter, days, format_number(total) if is_additive or total else "0")
