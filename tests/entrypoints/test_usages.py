from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from amberflo_workflows.entrypoints.usages import LARGEST_CHUNK_BYTES, MOST_USAGES, Usage, chunks, usages_in


def _usages(count: int, usage: Any = None) -> list[tuple[int, Usage]]:
    return [(number, Usage(f"e{number}", "", 0, usage)) for number in range(count)]


def test_a_detail_with_one_usage_has_the_identity_of_its_event() -> None:
    assert usages_in({"tenantId": "t"}, event_id="e", event_time="now") == [Usage("e", "now", 0, {"tenantId": "t"})]


def test_each_usage_of_a_batch_has_an_identity_of_its_own() -> None:
    found = usages_in({"records": [{"a": 1}, "junk"]}, event_id="e", event_time="now")
    assert found == [Usage("e:0", "now", 0, {"a": 1}), Usage("e:1", "now", 1, "junk")]


def test_what_is_no_usage_is_passed_on_as_it_came() -> None:
    assert [usage.usage for detail in (None, "x", [1]) for usage in usages_in(detail, event_id="e", event_time="")] == [
        None,
        "x",
        [1],
    ]


def test_a_chunk_is_cut_at_its_count() -> None:
    assert [len(chunk) for chunk in chunks(_usages(2 * MOST_USAGES + 1))] == [MOST_USAGES, MOST_USAGES, 1]


def test_a_usage_larger_than_a_chunk_travels_alone() -> None:
    large = (9, Usage("large", "", 0, "x" * LARGEST_CHUNK_BYTES))
    assert [len(chunk) for chunk in chunks([*_usages(2), large, *_usages(2)])] == [2, 1, 2]


@given(st.lists(st.integers(0, 60_000), max_size=300))
def test_chunks_keep_order_lose_nothing_and_stay_within_bounds(sizes: list[int]) -> None:
    given_usages = [(number, Usage("é", "", number, "é" * (size // 2))) for number, size in enumerate(sizes)]
    cut = list(chunks(given_usages))
    assert [pair for chunk in cut for pair in chunk] == given_usages
    for chunk in cut:
        assert len(chunk) <= MOST_USAGES
        assert len(msgspec.json.encode([usage for _, usage in chunk])) <= LARGEST_CHUNK_BYTES + 1
