import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amberflo_workflows.entrypoints.usages import (
    LARGEST_CHUNK_BYTES,
    MOST_USAGES,
    chunks,
    decoded,
    is_too_large,
    usages_in,
)
from amberflo_workflows.tasks.reported_usage import ReportedUsage


def _usages(count: int, usage: Any = None) -> list[tuple[int, ReportedUsage]]:
    return [(number, ReportedUsage(f"e{number}", "", 0, usage)) for number in range(count)]


def test_a_detail_with_one_usage_has_the_identity_of_its_event() -> None:
    assert usages_in({"tenantId": "t"}, event_id="e", event_time="now") == [
        ReportedUsage("e", "now", 0, {"tenantId": "t"})
    ]


def test_each_usage_of_a_batch_has_an_identity_of_its_own() -> None:
    found = usages_in({"records": [{"a": 1}, "junk"]}, event_id="e", event_time="now")
    assert found == [ReportedUsage("e:0", "now", 0, {"a": 1}), ReportedUsage("e:1", "now", 1, "junk")]


def test_what_is_no_usage_is_passed_on_as_it_came() -> None:
    assert [usage.usage for detail in (None, "x", [1]) for usage in usages_in(detail, event_id="e", event_time="")] == [
        None,
        "x",
        [1],
    ]


def test_a_chunk_is_cut_at_its_count() -> None:
    assert [len(chunk) for chunk in chunks(_usages(2 * MOST_USAGES + 1))] == [MOST_USAGES, MOST_USAGES, 1]


@pytest.mark.parametrize(("note", "too_large"), [("x" * 90_000, False), ("é" * 45_000, False), ("é" * 50_000, True)])
def test_a_usage_is_too_large_when_a_chunk_of_its_own_would_not_hold_it(note: str, *, too_large: bool) -> None:
    assert is_too_large([ReportedUsage("e", "", 0, {"note": note})]) == too_large


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1.5}', {"a": 1.5}),
        ('{"a": 1e999, "b": -Infinity, "c": NaN}', {"a": "1e999", "b": "-Infinity", "c": "NaN"}),
        ("not json", "not json"),
        ("1" * 5_000, "1" * 5_000),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_what_cannot_be_read_is_carried_as_text(text: str, value: Any) -> None:
    assert decoded(text) == value


def test_half_of_a_character_is_carried_in_ascii() -> None:
    (usage, neighbour) = usages_in({"records": [{"a": "\ud800"}, {"a": 1}]}, event_id="e", event_time="")
    assert usage.usage == r'{"a": "\ud800"}'
    assert neighbour.usage == {"a": 1}


@pytest.mark.parametrize(("levels", "carried"), [(15, list), (30, str), (600, str)])
def test_what_is_nested_deep_is_carried_as_text(levels: int, carried: type) -> None:
    deep: list[Any] = []
    for _ in range(levels):
        deep = [deep]
    (usage, neighbour) = usages_in({"records": [deep, {"a": 1}]}, event_id="e", event_time="")
    assert isinstance(usage.usage, carried)
    assert neighbour.usage == {"a": 1}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)


@given(json_values)
def test_whatever_an_event_holds_can_be_sent_on(detail: Any) -> None:
    for usage in usages_in(decoded(json.dumps(detail)), event_id="e", event_time=""):
        assert msgspec.json.decode(msgspec.json.encode(usage), type=ReportedUsage) == usage


@given(st.lists(st.integers(0, 60_000), max_size=300))
def test_chunks_keep_order_lose_nothing_and_stay_within_bounds(sizes: list[int]) -> None:
    given_usages = [(number, ReportedUsage("é", "", number, "é" * (size // 2))) for number, size in enumerate(sizes)]
    cut = list(chunks(given_usages))
    assert [pair for chunk in cut for pair in chunk] == given_usages
    for chunk in cut:
        assert len(chunk) <= MOST_USAGES
        assert len(msgspec.json.encode([usage for _, usage in chunk])) <= LARGEST_CHUNK_BYTES + 1
