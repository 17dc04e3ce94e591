"""``docs/scale.md`` has the tables that the estimates produce."""

from pathlib import Path

import pytest

from tests.bench.estimates import compute_events_per_batch, estimate_per_event_dollars
from tests.bench.scale import read_committed_units, render_tables

DOCUMENT = Path(__file__).parents[1] / "docs" / "scale.md"


@pytest.mark.parametrize("name", ["times", "ceilings", "costs"])
def test_a_table_of_the_document_follows_from_the_counts(name: str) -> None:
    text = DOCUMENT.read_text()
    table = text.partition(f"<!-- {name} -->\n")[2].partition(f"\n<!-- /{name} -->")[0]
    assert table == render_tables(read_committed_units()[1])[name]


def test_the_document_names_the_run_with_the_counts() -> None:
    assert read_committed_units()[0] in DOCUMENT.read_text().replace("\n", " ")


def test_a_batch_has_the_events_that_one_of_five_pollers_gets_in_a_second() -> None:
    # 500 events a second for 30 days, of which each of five pollers gets a hundred.
    assert compute_events_per_batch(1_296_000_000, 1) == 100
    assert compute_events_per_batch(1_000, 1) == 1
    assert compute_events_per_batch(10**12, 1) == 1_000


def test_logs_and_traces_get_cheaper_with_their_number() -> None:
    # 25,000 GB: 10,000 at $0.50, the others at $0.25.
    assert estimate_per_event_dollars(10_000_000_000)["logs"] == pytest.approx(8_750)
    # One a second, and a twentieth of the others, at $5 per million.
    assert estimate_per_event_dollars(10_000_000_000)["traces"] == pytest.approx(
        (2_592_000 + 0.05 * 9_997_408_000) * 5e-6
    )
