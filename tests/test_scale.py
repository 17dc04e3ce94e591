"""``docs/scale.md`` says what the reckoning gives."""

from pathlib import Path

import pytest

from tests.bench.reckoning import alone, events_a_batch
from tests.bench.scale import committed, tables

DOCUMENT = Path(__file__).parents[1] / "docs" / "scale.md"


@pytest.mark.parametrize("name", ["times", "ceilings", "costs"])
def test_a_table_of_the_document_is_what_is_reckoned_from_the_counts(name: str) -> None:
    text = DOCUMENT.read_text()
    shown = text.partition(f"<!-- {name} -->\n")[2].partition(f"\n<!-- /{name} -->")[0]
    assert shown == tables(committed()[1])[name]


def test_the_document_names_the_run_that_counted() -> None:
    assert committed()[0] in DOCUMENT.read_text().replace("\n", " ")


def test_a_batch_is_as_full_as_a_second_of_a_fifth_of_the_events_makes_it() -> None:
    # 2,592,000 seconds of 500 events, of which each of five pollers gets a hundred.
    assert events_a_batch(1_296_000_000, 1) == 100
    assert events_a_batch(1_000, 1) == 1
    assert events_a_batch(10**12, 1) == 1_000


def test_logs_and_traces_of_a_month_get_cheaper_with_their_number() -> None:
    # 25,000 GB: ten thousand at 0.50, the others at 0.25.
    assert alone(10_000_000_000)["logs"] == pytest.approx(8_750)
    # One a second, and a twentieth of the others, at five dollars a million.
    assert alone(10_000_000_000)["traces"] == pytest.approx((2_592_000 + 0.05 * 9_997_408_000) * 5e-6)
