"""``docs/scale.md`` has the tables that the estimates produce."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench.designs import AFTER, BEFORE, FULL_BATCHES, Design
from tests.bench.estimates import estimate_monthly_dollars, estimate_per_event_dollars
from tests.bench.scale import UNITS_BEFORE, VOLUMES, read_committed_units, render_tables

# The limits of the bill for a month's single events, in dollars.
AIMS = {(1_000_000, 1): 7.5, (10_000_000, 1): 22, (100_000_000, 1): 170}
DOCUMENT = Path(__file__).parents[1] / "docs" / "scale.md"


@pytest.mark.parametrize("name", ["times", "ceilings", "pollers", "costs", "fixed"])
def test_a_table_of_the_document_follows_from_the_counts(name: str) -> None:
    text = DOCUMENT.read_text()
    table = text.partition(f"<!-- {name} -->\n")[2].partition(f"\n<!-- /{name} -->")[0]
    assert table == render_tables(read_committed_units()[1])[name]


def test_the_document_names_the_run_with_the_counts() -> None:
    assert read_committed_units()[0] in DOCUMENT.read_text().replace("\n", " ")


def test_a_batch_has_the_events_that_one_of_five_pollers_gets_in_the_window() -> None:
    # 50 events a second for 30 days, of which each of five pollers gets ten a second.
    assert BEFORE.compute_events_per_batch(129_600_000, 1) == 10
    assert AFTER.compute_events_per_batch(129_600_000, 1) == 200
    assert AFTER.compute_events_per_batch(1_000, 1) == 1
    assert AFTER.compute_events_per_batch(10**12, 1) == 1_000


def test_a_batch_of_one_event_takes_three_requests_to_the_queue() -> None:
    units = read_committed_units(UNITS_BEFORE)[1]
    single, full = (estimate_monthly_dollars(units[1, events], 1_000_000)["queue"] for events in (1, 1_000))
    assert single == pytest.approx(3 * 0.40)
    assert full == pytest.approx(1.2 * 0.40)


def _list_dollars(name: str, design: Design, volume: int, usages_per_event: int) -> dict[str, float]:
    counts = read_committed_units(name)[1][usages_per_event, design.compute_events_per_batch(volume, usages_per_event)]
    return estimate_monthly_dollars(counts, volume, design)


def _total(name: str, design: Design, volume: int, usages_per_event: int) -> float:
    return sum(_list_dollars(name, design, volume, usages_per_event).values())


def test_receipts_of_full_chunks_cost_at_most_three_cents_for_a_million_usages() -> None:
    for usages_per_event, events in FULL_BATCHES.items():
        counts = read_committed_units()[1][usages_per_event, events]
        assert 0 < estimate_monthly_dollars(counts, 10**12)["ledger"] / 10**6 <= 0.03


@pytest.mark.parametrize("usages_per_event", FULL_BATCHES)
@pytest.mark.parametrize("volume", VOLUMES.values(), ids=str)
def test_a_month_costs_less_than_before_and_from_a_million_usages_on_less_than_a_lambda_per_event(
    volume: int, usages_per_event: int
) -> None:
    now = _total("units.json", AFTER, volume, usages_per_event)
    # Release 0.2 had no ledger.
    ledger = _list_dollars("units.json", AFTER, volume, usages_per_event)["ledger"]
    assert now - ledger < _total(UNITS_BEFORE, BEFORE, volume, usages_per_event)
    if volume >= 1_000_000:
        assert now < sum(estimate_per_event_dollars(volume).values())
    assert now <= AIMS.get((volume, usages_per_event), now)


def test_a_month_without_usage_costs_less_than_three_dollars() -> None:
    at_most_two_metrics = replace(AFTER, metrics=2)
    assert sum(at_most_two_metrics.list_fixed_dollars().values()) < 3


def test_logs_and_traces_get_cheaper_with_their_number() -> None:
    # 25,000 GB: 10,000 at $0.50, the others at $0.25.
    assert estimate_per_event_dollars(10_000_000_000)["logs"] == pytest.approx(8_750)
    # One a second, and a twentieth of the others, at $5 per million.
    assert estimate_per_event_dollars(10_000_000_000)["traces"] == pytest.approx(
        (2_592_000 + 0.05 * 9_997_408_000) * 5e-6
    )
