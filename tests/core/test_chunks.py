import json
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amberflo_workflows.core.chunks import (
    MAX_CHUNK_BYTES,
    MAX_CHUNK_USAGES,
    exceeds_chunk_limit,
    extract_usages,
    split_into_chunks,
)
from amberflo_workflows.core.json_text import parse_json
from amberflo_workflows.core.reported_usage import ReportedUsage, build_rejected_usage, truncate_reason
from amberflo_workflows.entrypoints.workflows import MAX_INPUT_BYTES
from amberflo_workflows.tasks.send_usages import SendUsages, _sorted_out

# What ingest_usage has beside the outcome of a chunk, the error of its first try above all; measured in test_payloads.
KEPT_BESIDE_BYTES = 16_000
UUID, TIME = "9f389fb2-ac88-4eac-81cf-d2d4d5a0187f", "2026-11-24T10:00:00.000000+00:00"


def _usages(count: int, usage: Any = None) -> list[tuple[int, ReportedUsage]]:
    return [(number, ReportedUsage(f"e{number}", "", 0, usage)) for number in range(count)]


def test_a_detail_with_one_usage_has_the_identity_of_its_event() -> None:
    assert extract_usages({"tenantId": "t"}, event_id="e", event_time="now") == [
        ReportedUsage("e", "now", 0, {"tenantId": "t"})
    ]


def test_each_usage_of_a_batch_has_an_identity_of_its_own() -> None:
    found = extract_usages({"records": [{"a": 1}, "junk"]}, event_id="e", event_time="now")
    assert found == [ReportedUsage("e:0", "now", 0, {"a": 1}), ReportedUsage("e:1", "now", 1, "junk")]


def test_what_is_no_usage_is_passed_on_as_it_came() -> None:
    assert [
        usage.usage for detail in (None, "x", [1]) for usage in extract_usages(detail, event_id="e", event_time="")
    ] == [
        None,
        "x",
        [1],
    ]


def test_a_chunk_is_cut_at_its_count() -> None:
    assert [len(chunk) for chunk in split_into_chunks(_usages(2 * MAX_CHUNK_USAGES + 1))] == [
        MAX_CHUNK_USAGES,
        MAX_CHUNK_USAGES,
        1,
    ]


@pytest.mark.parametrize(("note", "too_large"), [("x" * 90_000, False), ("é" * 45_000, False), ("é" * 50_000, True)])
def test_a_usage_is_too_large_when_a_chunk_of_its_own_would_not_hold_it(note: str, *, too_large: bool) -> None:
    assert exceeds_chunk_limit([ReportedUsage("e", "", 0, {"note": note})]) == too_large


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
    assert parse_json(text) == value


def test_half_of_a_character_is_carried_in_ascii() -> None:
    (usage, neighbour) = extract_usages({"records": [{"a": "\ud800"}, {"a": 1}]}, event_id="e", event_time="")
    assert usage.usage == r'{"a": "\ud800"}'
    assert neighbour.usage == {"a": 1}


@pytest.mark.parametrize(("levels", "carried"), [(15, list), (30, str), (600, str)])
def test_what_is_nested_deep_is_carried_as_text(levels: int, carried: type) -> None:
    deep: list[Any] = []
    for _ in range(levels):
        deep = [deep]
    (usage, neighbour) = extract_usages({"records": [deep, {"a": 1}]}, event_id="e", event_time="")
    assert isinstance(usage.usage, carried)
    assert neighbour.usage == {"a": 1}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)


@given(json_values)
def test_whatever_an_event_holds_can_be_sent_on(detail: Any) -> None:
    for usage in extract_usages(parse_json(json.dumps(detail)), event_id="e", event_time=""):
        assert msgspec.json.decode(msgspec.json.encode(usage), type=ReportedUsage) == usage


# Two, four and twelve bytes of JSON that are one character, or up to six times as many as when ASCII is all there is.
SIGNS = 'x"\x01\\é日😀'


@given(st.lists(st.tuples(st.integers(0, 60_000), st.sampled_from(SIGNS)), max_size=300))
def test_chunks_keep_order_lose_nothing_and_stay_within_bounds(given_texts: list[tuple[int, str]]) -> None:
    texts = [sign * (size // len(sign.encode())) for size, sign in given_texts]
    reported = extract_usages({"records": [{"note": text} for text in texts]}, event_id="é", event_time="")
    given_usages = list(enumerate(reported))
    cut = list(split_into_chunks(given_usages))
    assert [pair for chunk in cut for pair in chunk] == given_usages
    for chunk in cut:
        usages = [usage for _, usage in chunk]
        assert len({usage.event_id for usage in usages}) == len(usages) <= MAX_CHUNK_USAGES
        if exceeds_chunk_limit(usages):
            continue
        assert len(msgspec.json.encode({"callerWaits": True, "usages": usages})) <= MAX_INPUT_BYTES
        as_ascii = len(json.dumps(msgspec.to_builtins(usages), separators=(",", ":")))
        assert len(usages) == 1 or as_ascii <= MAX_CHUNK_BYTES + 1
    # None could have been fuller.
    for chunk, following in pairwise(cut):
        together = [usage for _, usage in [*chunk, following[0]]]
        size = len(json.dumps(msgspec.to_builtins(together), separators=(",", ":")))
        assert len(chunk) == MAX_CHUNK_USAGES or size > MAX_CHUNK_BYTES


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(SIGNS), st.integers(1, 200), st.integers(0, 200), st.sampled_from(SIGNS), st.sampled_from(["", []])
)
def test_what_becomes_of_a_chunk_fits_into_what_a_state_hands_on(
    sign: str, name: int, key: int, said: str, dimension: Any
) -> None:
    names = {"tenantId": sign * name, "uniqueId": sign * name, "meterApiName": "m"}
    usage = {**names, "meterValue": 3, sign * key: dimension}
    chunk = next(
        split_into_chunks(
            (None, one) for one in extract_usages({"records": [usage] * 300}, event_id=UUID, event_time=TIME)
        )
    )
    reported = [one for _, one in chunk]
    good, wrong = _sorted_out(SendUsages(reported))
    refused = [build_rejected_usage(one, place, truncate_reason(said * 500)) for place, one in enumerate(reported)]
    for rejected in (wrong, refused):
        outcome = {"counted": [one.record.unique_id for one in good], "rejected": rejected}
        # With all but ASCII escaped, since so it is never smaller.
        assert len(json.dumps(outcome)) <= MAX_INPUT_BYTES - KEPT_BESIDE_BYTES
