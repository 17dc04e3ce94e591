import threading

import pytest

from amberflo_workflows.emit import UsageEmitter, UsageNotSent, UsageNotTaken
from tests.emit.bus import ACCEPTED, DENIED, NEVER, THROTTLED, Bus, record_entries


def test_a_usage_is_rejected_if_the_buffer_stays_full(bus: Bus) -> None:
    bus.open.clear()
    with UsageEmitter("b", "s", client=bus.client, buffer=3, linger=0, max_wait=0.05) as emitter:
        for number in range(3):
            emitter.record("acme", "api-calls", number)
        with pytest.raises(UsageNotTaken, match="full"):
            emitter.record("acme", "api-calls", 3)
        bus.open.set()
        emitter.flush()
        emitter.record("acme", "api-calls", 4)
    assert bus.values == [0, 1, 2, 4]


def test_a_caller_waits_until_the_buffer_has_room(bus: Bus) -> None:
    bus.open.clear()
    with UsageEmitter("b", "s", client=bus.client, buffer=1, max_wait=20) as emitter:
        emitter.record("acme", "api-calls", 0)
        waiting = threading.Thread(target=emitter.record, args=("acme", "api-calls", 1))
        waiting.start()
        assert bus.wait_for(lambda: len(bus.calls) == 1)
        bus.open.set()
        waiting.join()
    assert bus.values == [0, 1]


def test_failed_usages_fill_the_buffer_until_they_are_raised(bus: Bus) -> None:
    bus.default_response = DENIED
    with UsageEmitter("b", "s", client=bus.client, buffer=2, max_wait=0.3) as emitter:
        for number in range(2):
            emitter.record("acme", "api-calls", number)
        with pytest.raises(UsageNotTaken, match="the buffer is full"):
            emitter.record("acme", "api-calls", 2)
        bus.default_response = ACCEPTED
        with pytest.raises(UsageNotSent, match="2 usages"):
            emitter.flush()
        emitter.record("acme", "api-calls", 3)
    assert bus.values == [3]


def test_a_flush_that_times_out_loses_no_usage(bus: Bus, emitter: UsageEmitter) -> None:
    bus.open.clear()
    emitter.record("acme", "api-calls", 1)
    with pytest.raises(TimeoutError, match="1 usages are not sent yet"):
        emitter.flush(timeout=0.05)
    bus.open.set()
    emitter.flush()
    assert bus.values == [1]


def test_close_stops_in_time_and_raises_all_usages(bus: Bus) -> None:
    bus.script += [THROTTLED] * 8
    emitter = UsageEmitter("b", "s", client=bus.client, linger=NEVER, max_tries=50)
    # Two calls of six.
    ids = record_entries(emitter, 12)
    with pytest.raises(UsageNotSent) as caught:
        emitter.close(timeout=0.1)
    assert [usage["uniqueId"] for usage in caught.value.usages] == ids
    assert all(call == bus.calls[0] and len(call) == 6 for call in bus.calls)
    assert bus.arrived == []
