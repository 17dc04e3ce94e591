"""Compare the ledger with what Amberflo reports, by meter, tenant and hour."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final, NamedTuple

from amberflo_workflows.operate.api_client import ApiClient
from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.ledger.explanation import AHEAD_SECONDS
from amberflo_workflows.operate.ledger.reader import LedgerReader
from amberflo_workflows.operate.ledger.totals import HOUR_SECONDS, Hour, LedgerTotals
from amberflo_workflows.operate.usage_report import ADDITIVE_METER_TYPES, fetch_usage

# Sums of doubles in another order differ by less.
_TOLERANCE: Final = 1e-9
# The largest range of one request, so that the response stays small.
_DAY_SECONDS: Final = 86_400


class Outcome(Enum):
    """What the comparison of an hour says."""

    AGREED = "agreed"
    MISSING = "missing at Amberflo"
    UNKNOWN = "more at Amberflo than in the ledger"
    TOO_FRESH = "too fresh to tell"


class ComparedHour(NamedTuple):
    """An hour with the sums of both sides."""

    hour: Hour
    ledger: float
    amberflo: float
    outcome: Outcome

    def to_json(self) -> dict[str, Any]:
        """Return the hour as an object for JSON."""
        return {
            "meterApiName": self.hour.meter,
            "tenantId": self.hour.tenant,
            "startTimeInSeconds": self.hour.start,
            "ledger": self.ledger,
            "amberflo": self.amberflo,
            "outcome": self.outcome.value,
        }


class Reconciliation(NamedTuple):
    """The compared hours, and the names of the meters whose values have no sum to compare."""

    hours: list[ComparedHour]
    meters_without_sum: list[str]

    def count(self, outcome: Outcome) -> int:
        """Count the hours with this outcome."""
        return sum(hour.outcome is outcome for hour in self.hours)

    @property
    def has_drift(self) -> bool:
        """Whether an hour differs that is not too fresh to tell."""
        return any(hour.outcome in {Outcome.MISSING, Outcome.UNKNOWN} for hour in self.hours)


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
    first_written = datetime.fromtimestamp(start - AHEAD_SECONDS, UTC)
    totals = LedgerTotals()
    totals.add(LedgerReader(deployment).read(first_written, datetime.fromtimestamp(now, UTC)), start, end)
    summed = [meter for meter in meters if meter.get("meterType") in ADDITIVE_METER_TYPES]
    others = sorted(meter["meterApiName"] for meter in meters if meter not in summed)
    amberflo = {hour: value for meter in summed for hour, value in fetch_hours(client, meter, start, min(end, now))}
    ledger = {hour: value for hour, value in totals.compute().items() if hour.meter not in others}
    return Reconciliation(compare_hours(ledger, amberflo, now - lag_seconds), others)


def fetch_hours(client: ApiClient, meter: dict[str, Any], start: int, end: int) -> Iterator[tuple[Hour, float]]:
    """Yield what Amberflo reports of a meter for each tenant and hour between epoch seconds, both full hours."""
    for day in range(start, end, _DAY_SECONDS):
        time_range = (day, min(day + _DAY_SECONDS, end))
        for group in fetch_usage(client, meter, time_range, "HOUR", {"groupBy": "customerId"}).groups:
            for value in group.values:
                # Amberflo may extend the range to the interval after it.
                if value.value and time_range[0] <= value.begin < time_range[1]:
                    yield Hour(meter["meterApiName"], group.labels.get("customerId", ""), value.begin), value.value


def compare_hours(
    ledger: Mapping[Hour, float], amberflo: Mapping[Hour, float], settled_until: int
) -> list[ComparedHour]:
    """Compare each hour that either side has, in the order of meter, tenant and hour.

    A difference in an hour that ends after ``settled_until`` (epoch seconds) may still go away.
    """
    compared = []
    for hour in sorted({*ledger, *amberflo}):
        sums = ledger.get(hour, 0.0), amberflo.get(hour, 0.0)
        compared.append(ComparedHour(hour, *sums, _choose_outcome(*sums, hour.start + HOUR_SECONDS > settled_until)))
    return compared


def _choose_outcome(ledger: float, amberflo: float, is_fresh: bool) -> Outcome:
    if math.isclose(ledger, amberflo, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE):
        return Outcome.AGREED
    if is_fresh:
        return Outcome.TOO_FRESH
    return Outcome.MISSING if ledger > amberflo else Outcome.UNKNOWN
