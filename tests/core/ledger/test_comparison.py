"""What is said about an hour, by both sums and by the time at which Amberflo's is final."""

import pytest

from amberflo_workflows.core.ledger.comparison import compare_hours
from amberflo_workflows.core.ledger.totals import Hour, add_up
from amberflo_workflows.core.ledger.usages import LedgerUsage
from tests.core.ledger.entries import START, build_record

HOUR = Hour("m", "t", START)
END = START + 3600


def _compare(
    ledger: float | None, amberflo: float | None, settled_until: int = END, changed: str = "15:59:59"
) -> list[str]:
    usage = LedgerUsage(build_record(1, value=ledger or 0), b"", [], "", f"2026-11-27T{changed}.000Z")
    totals = {} if ledger is None else add_up([usage])
    return [hour.outcome for hour in compare_hours(totals, {} if amberflo is None else {HOUR: amberflo}, settled_until)]


@pytest.mark.parametrize(
    ("ledger", "amberflo", "outcome"),
    [
        (2.5, 2.5, "agreed"),
        (0.3, 0.1 + 0.2, "agreed"),
        (2, 1, "missing"),
        (2, None, "missing"),
        (1, 2, "unknown"),
        (None, 2, "unknown"),
        (1000, 1000.001, "unknown"),
    ],
)
def test_outcomes(ledger: float | None, amberflo: float | None, outcome: str) -> None:
    assert _compare(ledger, amberflo) == [outcome]


def test_a_difference_of_a_late_hour_or_of_late_usage_may_go_away() -> None:
    assert _compare(2, 1, END - 1) == ["tooFresh"]
    assert _compare(2, 1, END, changed="16:00:01") == ["tooFresh"]
    assert _compare(2, 1, END, changed="16:00:00") == ["missing"]
    assert _compare(2, 2, END - 1) == ["agreed"]


def test_hours_come_in_the_order_of_meter_tenant_and_time() -> None:
    hours = [Hour("b", "t", 0), Hour("a", "u", 0), Hour("a", "t", 3600), Hour("a", "t", 0)]
    compared = compare_hours({}, dict.fromkeys(hours, 1.0), END)
    assert [(hour.meter_api_name, hour.tenant_id, hour.start_time_in_seconds) for hour in compared] == sorted(hours)
