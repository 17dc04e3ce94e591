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
    EncodedUsage,
    encode_chunk,
    encode_usage,
    exceeds_chunk_limit,
    extract_usages,
    split_into_chunks,
)
from amberflo_workflows.core.json_text import parse_json
from amberflo_workflows.core.reported_usage import ReportedUsage, build_rejected_usage, truncate_reason
from amberflo_workflows.entrypoints.workflows import MAX_INPUT_BYTES
from amberflo_workflows.tasks.send_usages import SendUsages, _validate

# What the state of ingest_usage has besides the outcome of a chunk, mainly the error of the first attempt; see
# test_payloads.
OTHER_STATE_BYTES = 16_000
UUID, TIME = "9f389fb2-ac88-4eac-81cf-d2d4d5a0187f", "2026-11-24T10:00:00.000000+00:00"


def _usages(count: int, usage: Any = None) -> list[EncodedUsage[int]]:
    return [encode_usage(number, ReportedUsage(f"e{number}", "", 0, usage)) for number in range(count)]


def test_a_single_usage_has_the_identity_of_its_event() -> None:
    assert extract_usages({"tenantId": "t"}, event_id="e", event_time="now") == [
        ReportedUsage("e", "now", 0, {"tenantId": "t"})
    ]


def test_each_usage_of_records_has_its_own_identity() -> None:
    usages = extract_usages({"records": [{"a": 1}, "junk"]}, event_id="e", event_time="now")
    assert usages == [ReportedUsage("e:0", "now", 0, {"a": 1}), ReportedUsage("e:1", "now", 1, "junk")]


def test_invalid_usage_is_passed_on_unchanged() -> None:
    for detail in (None, "x", [1]):
        (reported,) = extract_usages(detail, event_id="e", event_time="")
        assert reported.usage == detail


def test_chunks_are_split_at_the_maximum_count() -> None:
    assert [len(chunk) for chunk in split_into_chunks(_usages(2 * MAX_CHUNK_USAGES + 1))] == [
        MAX_CHUNK_USAGES,
        MAX_CHUNK_USAGES,
        1,
    ]


@pytest.mark.parametrize(("note", "too_large"), [("x" * 90_000, False), ("é" * 45_000, False), ("é" * 50_000, True)])
def test_a_usage_larger_than_a_chunk_exceeds_the_limit(note: str, *, too_large: bool) -> None:
    assert exceeds_chunk_limit([encode_usage(None, ReportedUsage("e", "", 0, {"note": note}))]) == too_large


def test_usage_with_a_lone_surrogate_becomes_text_in_ascii() -> None:
    (usage, neighbour) = extract_usages({"records": [{"a": "\ud800"}, {"a": 1}]}, event_id="e", event_time="")
    assert usage.usage == r'{"a": "\ud800"}'
    assert neighbour.usage == {"a": 1}


@pytest.mark.parametrize(("levels", "expected"), [(15, list), (30, str), (600, str)])
def test_deeply_nested_usage_becomes_text(levels: int, expected: type) -> None:
    deep: list[Any] = []
    for _ in range(levels):
        deep = [deep]
    (usage, neighbour) = extract_usages({"records": [deep, {"a": 1}]}, event_id="e", event_time="")
    assert isinstance(usage.usage, expected)
    assert neighbour.usage == {"a": 1}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)


@given(json_values)
def test_usages_of_any_event_can_be_encoded_and_decoded(detail: Any) -> None:
    for usage in extract_usages(parse_json(json.dumps(detail)), event_id="e", event_time=""):
        assert msgspec.json.decode(msgspec.json.encode(usage), type=ReportedUsage) == usage


# Characters of one to six bytes in JSON; the last ones have up to twelve when all but ASCII is escaped.
CHARACTERS = 'x"\x01\\é日😀'


@given(st.lists(st.tuples(st.integers(0, 60_000), st.sampled_from(CHARACTERS)), max_size=300))
def test_chunks_keep_order_are_complete_and_stay_within_limits(sizes: list[tuple[int, str]]) -> None:
    texts = [character * (size // len(character.encode())) for size, character in sizes]
    reported = extract_usages({"records": [{"note": text} for text in texts]}, event_id="é", event_time="")
    numbered = [encode_usage(number, usage) for number, usage in enumerate(reported)]
    chunks = list(split_into_chunks(numbered))
    assert [usage for chunk in chunks for usage in chunk] == numbered
    for chunk in chunks:
        usages = [usage.reported for usage in chunk]
        assert len({usage.event_id for usage in usages}) == len(usages) <= MAX_CHUNK_USAGES
        if exceeds_chunk_limit(chunk):
            continue
        text = msgspec.json.encode({"callerWaits": True, "usages": encode_chunk(chunk)})
        assert text == msgspec.json.encode({"callerWaits": True, "usages": usages})
        assert len(text) <= MAX_INPUT_BYTES
        as_ascii = len(json.dumps(msgspec.to_builtins(usages), separators=(",", ":")))
        assert len(usages) == 1 or as_ascii <= MAX_CHUNK_BYTES + 1
    # No chunk has room for the first usage of the next one.
    for chunk, next_chunk in pairwise(chunks):
        usages = [usage.reported for usage in [*chunk, next_chunk[0]]]
        size = len(json.dumps(msgspec.to_builtins(usages), separators=(",", ":")))
        assert len(chunk) == MAX_CHUNK_USAGES or size > MAX_CHUNK_BYTES


@pytest.mark.parametrize(("more_bytes", "expected"), [(0, [2]), (1, [1, 1])])
def test_a_chunk_is_full_at_the_limit_and_not_a_byte_later(more_bytes: int, expected: list[int]) -> None:
    def extract(last_size: int) -> list[ReportedUsage]:
        records = [{"note": "x" * 50_000}, {"note": "x" * last_size}]
        return extract_usages({"records": records}, event_id="e", event_time="")

    empty = sum(len(msgspec.json.encode(usage)) + len(",") for usage in extract(0))
    usages = extract(MAX_CHUNK_BYTES - empty + more_bytes)
    assert [len(chunk) for chunk in split_into_chunks(encode_usage(None, usage) for usage in usages)] == expected


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(CHARACTERS),
    st.integers(1, 200),
    st.integers(0, 200),
    st.sampled_from(CHARACTERS),
    st.sampled_from(["", []]),
)
def test_the_outcome_of_any_chunk_fits_into_the_output_of_a_state(
    character: str, name_length: int, key_length: int, reason_character: str, dimension: Any
) -> None:
    names = {"tenantId": character * name_length, "uniqueId": character * name_length, "meterApiName": "m"}
    usage = {**names, "meterValue": 3, character * key_length: dimension}
    usages = extract_usages({"records": [usage] * 300}, event_id=UUID, event_time=TIME)
    chunk = [usage.reported for usage in next(split_into_chunks(encode_usage(None, usage) for usage in usages))]
    valid, invalid = _validate(SendUsages(chunk))
    reason = truncate_reason(reason_character * 500)
    all_rejected = [build_rejected_usage(reported, place, reason) for place, reported in enumerate(chunk)]
    for rejected in (invalid, all_rejected):
        outcome = {"counted": [usage.record.unique_id for usage in valid], "rejected": rejected}
        # With all but ASCII escaped, which is never smaller.
        assert len(json.dumps(outcome)) <= MAX_INPUT_BYTES - OTHER_STATE_BYTES
    # What the usages lead to if each is sent alone, before the workflow collects it.
    alone = {"outcomes": [{"counted": [], "rejected": [usage], "isCounted": 0} for usage in all_rejected]}
    assert len(json.dumps(alone)) <= MAX_INPUT_BYTES - OTHER_STATE_BYTES
