import json
import uuid
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amberflo_workflows.core.chunks import encode_usage, extract_usages, split_into_chunks
from amberflo_workflows.emit import UsageEmitter
from amberflo_workflows.emit.entries import BufferedUsage, build_call
from tests.emit.bus import CALL_BYTES, FULL_ENTRY, NEVER, Bus, count_bytes

_SIZES = st.one_of(st.integers(0, 300), st.integers(0, 62_000), st.just(62_700))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.tuples(_SIZES, st.sampled_from("xé日😀"), st.integers(1, 400)), max_size=12),
    source=st.text("aü", min_size=1, max_size=80),
)
def test_usages_are_sent_in_order_in_as_few_entries_and_calls_as_possible(
    bus: Bus, sizes: list[tuple[int, str, int]], source: str
) -> None:
    bus.calls.clear()
    bus.arrived.clear()
    texts = [
        sign * (size // len(sign.encode())) for size, sign, count in sizes for _ in range(count if size < 99 else 1)
    ]
    with UsageEmitter("b", source, client=bus.client, linger=NEVER) as emitter:
        for number, text in enumerate(texts):
            emitter.record("t", "m", number, dimensions={"d": text}, unique_id="i")
    assert [(usage["meterValue"], usage["dimensions"]["d"]) for usage in bus.arrived] == list(enumerate(texts))
    entries = [entry for call in bus.calls for entry in call]
    assert all(count_bytes(entry) <= FULL_ENTRY for entry in entries)
    counts = [len(json.loads(entry["Detail"])["records"]) for entry in entries]
    assert max(counts, default=0) <= 300
    for (entry, following), count in zip(pairwise(entries), counts, strict=False):
        next_usage = json.dumps(
            json.loads(following["Detail"])["records"][0], ensure_ascii=False, separators=(",", ":")
        )
        assert count == 300 or count_bytes(entry) + len(f",{next_usage}".encode()) > FULL_ENTRY
    assert all(len(call) <= 10 and sum(map(count_bytes, call)) < CALL_BYTES for call in bus.calls)
    for call, following_call in pairwise(bus.calls):
        # With a comma for each entry, as above.
        total = sum(count_bytes(entry) + 1 for entry in [*call, following_call[0]])
        assert len(call) == 10 or total >= CALL_BYTES


def test_the_largest_usage_fills_an_entry_to_its_last_byte(bus: Bus, emitter: UsageEmitter) -> None:
    def record(length: int) -> None:
        emitter.record("acme", "api-calls", 1, unique_id="i", dimensions={"d": "x" * length})

    record(1)
    emitter.flush()
    max_length = 1 + FULL_ENTRY - count_bytes(bus.calls[0][0])
    with pytest.raises(ValueError, match="too large for an event"):
        record(max_length + 1)
    record(max_length)
    emitter.close()
    assert [count_bytes(entry) for entry in bus.calls[1]] == [FULL_ENTRY]


@pytest.mark.parametrize(("length", "entries"), [(52_427, [5, 1]), (52_428, [4, 2])])
def test_a_call_stays_below_its_limit(bus: Bus, emitter: UsageEmitter, length: int, entries: list[int]) -> None:
    def record(filling: int) -> None:
        emitter.record("acme", "api-calls", 1, unique_id="i", dimensions={"d": "x" * filling})

    record(1)
    emitter.flush()
    for _ in range(6):
        record(1 + length - count_bytes(bus.calls[0][0]))
    emitter.close()
    assert [len(call) for call in bus.calls[1:]] == entries
    assert {count_bytes(entry) for call in bus.calls[1:] for entry in call} == {length}


@pytest.mark.parametrize("length", [1, 40])
def test_a_full_entry_is_one_chunk_after_the_queue(bus: Bus, emitter: UsageEmitter, length: int) -> None:
    for number in range(301):
        emitter.record("acme", "api-calls", number, dimensions={"d": "x" * length})
    emitter.close()
    detail = json.loads(bus.calls[0][0]["Detail"])
    reported = extract_usages(detail, event_id=str(uuid.uuid4()), event_time="2025-03-01T12:00:00Z")
    assert [len(chunk) for chunk in split_into_chunks(encode_usage(None, usage) for usage in reported)] == [
        len(detail["records"])
    ]


def test_a_call_has_at_most_ten_entries_and_an_entry_300_usages() -> None:
    # Tested without the bus: 300 real usages have at least 30 kB, so a call reaches its limit of bytes first.
    call = build_call([BufferedUsage("{}", size=3, due=0)] * 3_301, overhead=100)
    assert [len(entry) for entry in call] == [300] * 10


def test_usages_are_sent_together_when_the_oldest_has_lingered(bus: Bus) -> None:
    with UsageEmitter("b", "s", client=bus.client, linger=0.3) as emitter:
        for number in range(3):
            emitter.record("acme", "api-calls", number)
        assert bus.wait_for(lambda: len(bus.arrived) == 3)
    assert len(bus.calls) == 1


def test_a_buffer_that_is_half_full_is_sent_at_once(bus: Bus) -> None:
    with UsageEmitter("b", "s", client=bus.client, linger=NEVER, buffer=20) as emitter:
        for number in range(9):
            emitter.record("acme", "api-calls", number)
        assert bus.calls == []
        emitter.record("acme", "api-calls", 9)
        assert bus.wait_for(lambda: len(bus.arrived) == 10)
