"""The totals before and after single usages are cancelled, since Amberflo does not tell whether a record matched."""

import math
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from amberflo_workflows.core.usage_record import build_record
from amberflo_workflows.operate.api_client import ApiClient
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.usage_files import Totals, Usage, compute_totals
from amberflo_workflows.operate.usage_report import choose_interval, fetch_usage

MAX_COMPARED_TOTALS: Final = 100
_QUERY_TENANTS: Final = 20
# Relative to the larger total, for the rounding of sums.
_TOLERANCE: Final = 1e-9


class TotalChange(NamedTuple):
    """How a tenant's total of a meter changed when ``cancelled`` was to be subtracted from it."""

    meter_api_name: str
    tenant: str
    cancelled: float
    before: float
    after: float

    @property
    def is_expected(self) -> bool:
        """Whether the total decreased by what was to be cancelled."""
        tolerance = _TOLERANCE * max(abs(self.before), abs(self.after))
        return math.isclose(self.before - self.cancelled, self.after, rel_tol=0, abs_tol=tolerance)


def fetch_record_totals(client: ApiClient, usages: Sequence[Usage], now: int) -> Totals | None:
    """Fetch the totals of the usages' meters and tenants, in the full hours, days or months of the usages' times.

    A meter that does not exist has no totals. ``None`` if there are too many totals to compare, if all times are in the
    future (``now`` is in epoch seconds), or if the totals could not be fetched.
    """
    keys = sorted(compute_totals(usages))
    time_range = _read_time_range(usages, now)
    if len(keys) > MAX_COMPARED_TOTALS or time_range is None:
        return None
    try:
        meters = {meter["meterApiName"]: meter for meter in client.list_meters()}
        return {
            (name, group.labels.get("customerId", "")): group.total
            for name, tenants in _iterate_queries(keys)
            if name in meters
            for group in fetch_usage(
                client,
                meters[name],
                time_range,
                choose_interval(time_range[1] - time_range[0]),
                {"aggregation": "SUM", "groupBy": "customerId", "tenantId": tenants},
            ).groups
        }
    except OperatorError:
        return None


def compare_totals(usages: Sequence[Usage], before: Totals, after: Totals) -> list[TotalChange]:
    """Return how each total of the usages changed, sorted by meter and tenant. A total that is missing is 0."""
    return [
        TotalChange(*key, cancelled, before.get(key, 0), after.get(key, 0))
        for key, cancelled in sorted(compute_totals(usages).items())
    ]


def _read_time_range(usages: Sequence[Usage], now: int) -> tuple[int, int] | None:
    """Return the range of the usages' times in epoch seconds, up to ``now``."""
    seconds = [build_record(usage, event_id="", event_time="").meter_time_in_millis // 1000 for usage in usages]
    start, end = min(seconds), min(max(seconds) + 1, now)
    return (start, end) if start < end else None


def _iterate_queries(keys: Sequence[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    """Yield meters, each with some of its tenants."""
    for name in dict.fromkeys(name for name, _ in keys):
        tenants = [tenant for other_name, tenant in keys if other_name == name]
        for start in range(0, len(tenants), _QUERY_TENANTS):
            yield name, tenants[start : start + _QUERY_TENANTS]
