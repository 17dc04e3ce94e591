"""Compare some hours of the ledger with Amberflo, and write the outcome of each into the report.

Request: ``{"range", "part": {"start", "end"}, "reconciliation"}``; the range is the request of ``list_unsorted``'s
output, the part is from ``plan_comparison``, and the reconciliation is its id. Output: ``{"outcomes": {outcome:
number}, "metersWithoutSum": [name…]}``. Raises ``LedgerUnavailable``, and ``UnreadableObject`` for a damaged ledger.
"""

import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import msgspec
from msgspec import Struct

from amberflo_workflows.core.initialization import at_initialization
from amberflo_workflows.core.ledger.comparison import OUTCOMES, compare_hours
from amberflo_workflows.core.ledger.errors import ledger_errors
from amberflo_workflows.core.ledger.report import Report
from amberflo_workflows.core.ledger.requests import ReconciliationRequest
from amberflo_workflows.core.ledger.store import LedgerStore, own_ledger
from amberflo_workflows.core.ledger.totals import Hour, HourTotal, add_up
from amberflo_workflows.core.ledger.usages import UsageReader
from amberflo_workflows.core.meter import ADDITIVE_METER_TYPES, is_meter
from amberflo_workflows.tasks.amberflo.client import AmberfloClient
from amberflo_workflows.tasks.amberflo.errors import AmberfloClientError, AmberfloUnavailable
from amberflo_workflows.tasks.amberflo.hourly_usage import fetch_hours
from amberflo_workflows.tasks.reconciliation_step import ComparedPart
from amberflo_workflows.tasks.step import Step, step

PARALLEL_METERS: Final = 4


class CompareHours(Struct):
    """The request of this step."""

    range: ReconciliationRequest
    part: ComparedPart
    reconciliation: str


@step(lambda request: msgspec.convert(request, CompareHours))
def handler(request: CompareHours, step: Step) -> dict[str, Any]:
    try:
        return _compare(request, step)
    except AmberfloClientError as error:
        # Nobody waits who could fix the request.
        raise AmberfloUnavailable(f"Amberflo rejected a query of the reconciliation: {error}") from error


def _compare(request: CompareHours, step: Step) -> dict[str, Any]:
    meters = _list_meters(step.amberflo, request.range.meter_api_name)
    summed = {name for name, is_additive in meters.items() if is_additive}
    settled_until = int(time.time()) - (request.range.lag_seconds or 0)
    # First Amberflo: what it has then is in the ledger, unless its receipt is still on the way.
    amberflo = _fetch_usage(step.amberflo, summed, request)
    with ledger_errors():
        store = own_ledger()
        ledger = _add_up(store, request, others=meters.keys() - summed)
        hours = list(compare_hours(ledger, amberflo, settled_until))
        Report(store, request.reconciliation).write_hours(request.part.start, hours)
    counts = Counter(hour.outcome for hour in hours)
    return {
        "outcomes": {outcome: counts[outcome] for outcome in OUTCOMES},
        "metersWithoutSum": sorted(meters.keys() - summed)[:20],
    }


def _list_meters(amberflo: AmberfloClient, only: str | None) -> dict[str, bool]:
    """Return the names of the meters, and whether the values of each can be added up."""
    meters = amberflo.call("GET", "/meters")
    if not isinstance(meters, list):
        raise AmberfloUnavailable("Amberflo's response to GET /meters is not a list.")
    return {
        meter["meterApiName"]: meter.get("meterType") in ADDITIVE_METER_TYPES
        for meter in meters
        if is_meter(meter) and only in {None, meter["meterApiName"]}
    }


def _fetch_usage(amberflo: AmberfloClient, meters: Iterable[str], request: CompareHours) -> dict[Hour, float]:
    end = min(request.part.end, int(time.time()))
    if end <= request.part.start:
        return {}

    def fetch(meter: str) -> dict[Hour, float]:
        return dict(fetch_hours(amberflo, meter, request.part.start, end, request.range.tenant_id))

    with ThreadPoolExecutor(PARALLEL_METERS) as pool:
        return {hour: value for hours in pool.map(fetch, sorted(meters)) for hour, value in hours.items()}


def _add_up(store: LedgerStore, request: CompareHours, others: set[str]) -> dict[Hour, HourTotal]:
    """Add up the usage of the ledger, also of meters that were deleted, but not of those whose values have no sum."""
    meter, tenant = request.range.meter_api_name, request.range.tenant_id
    usages = UsageReader(store, request.part.start, request.part.end, tenant=tenant).read()
    return add_up(
        usage
        for usage in usages
        if meter in {None, usage.record.meter_api_name} and usage.record.meter_api_name not in others
    )


at_initialization(own_ledger)
