"""Compare the ledger with what Amberflo reports, by meter, tenant and hour."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from amberflo_workflows.core.ledger.comparison import ComparedHour, HourOutcome, compare_hours
from amberflo_workflows.core.ledger.totals import Hour, add_up
from amberflo_workflows.core.ledger.usages import UsageReader
from amberflo_workflows.operate.api_client import ApiClient
from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.ledger.reader import open_ledger
from amberflo_workflows.operate.usage_report import ADDITIVE_METER_TYPES, fetch_usage

# The largest range of one request, so that the response stays small.
_DAY_SECONDS: Final = 86_400


class Reconciliation(NamedTuple):
    """The compared hours, and the names of the meters whose values have no sum to compare."""

    hours: list[ComparedHour]
    meters_without_sum: list[str]

    def count(self, outcome: HourOutcome) -> int:
        """Count the hours with this outcome."""
        return sum(hour.outcome == outcome for hour in self.hours)

    @property
    def has_drift(self) -> bool:
        """Whether an hour differs that is not too fresh to tell."""
        return any(hour.outcome in {"missing", "unknown"} for hour in self.hours)


def reconcile(
    deployment: Deployment,
    client: ApiClient,
    meters: Sequence[dict[str, Any]],
    time_range: tuple[int, int],
    *,
    now: int,
    lag_seconds: int,
) -> Reconciliation:
    """Compare the usage in a range of full hours, in epoch seconds, of these meters and of those that are deleted.

    Amberflo's report is final ``lag_seconds`` after the end of an hour. Raises
    :class:`~amberflo_workflows.operate.errors.OperatorError` and botocore's errors.
    """
    start, end = time_range
    summed = [meter for meter in meters if meter.get("meterType") in ADDITIVE_METER_TYPES]
    others = sorted(meter["meterApiName"] for meter in meters if meter not in summed)
    amberflo = {hour: value for meter in summed for hour, value in fetch_hours(client, meter, start, min(end, now))}
    totals = add_up(UsageReader(open_ledger(deployment), start, end).read())
    ledger = {hour: total for hour, total in totals.items() if hour.meter not in others}
    return Reconciliation(list(compare_hours(ledger, amberflo, now - lag_seconds)), others)


def fetch_hours(client: ApiClient, meter: dict[str, Any], start: int, end: int) -> Iterator[tuple[Hour, float]]:
    """Yield what Amberflo reports of a meter for each tenant and hour between epoch seconds, both full hours."""
    for day in range(start, end, _DAY_SECONDS):
        time_range = (day, min(day + _DAY_SECONDS, end))
        for group in fetch_usage(client, meter, time_range, "HOUR", {"groupBy": "customerId"}).groups:
            for value in group.values:
                # Amberflo may extend the range to the interval after it.
                if value.value and time_range[0] <= value.begin < time_range[1]:
                    yield Hour(meter["meterApiName"], group.labels.get("customerId", ""), value.begin), value.value
