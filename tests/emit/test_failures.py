import logging
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.emit import UsageEmitter, UsageNotSent, UsageNotTaken
from tests.emit.bus import DENIED, NEVER, NONSENSE, TAKEN, THROTTLED, Answer, Bus, record_entries
from tests.emit.target import example


def test_only_the_entries_that_failed_are_sent_again_and_unchanged(bus: Bus, emitter: UsageEmitter) -> None:
    bus.script += [Answer(failed_entries={0: "ThrottlingException", 2: "InternalFailure"}), TAKEN]
    ids = record_entries(emitter, 4)
    emitter.flush()
    first, second = bus.calls
    assert second == [first[0], first[2]]
    assert Counter(usage["uniqueId"] for usage in bus.arrived) == Counter(ids)


@pytest.mark.parametrize(
    ("answer", "arrivals"),
    [
        (THROTTLED, 1),
        (Answer(500, "InternalException", takes=False), 1),
        (Answer(503, "SomethingNew", takes=False), 1),
        (Answer(drops=True, takes=False), 1),
        *((Answer(code=code, takes=False), 1) for code in NONSENSE),
        # The answer is lost and not the events: they come twice, and are the same to the byte.
        (Answer(drops=True), 2),
    ],
)
def test_a_call_that_fails_is_made_again_unchanged(
    bus: Bus, emitter: UsageEmitter, answer: Answer, arrivals: int
) -> None:
    bus.script += [answer, TAKEN]
    record_entries(emitter, 2)
    emitter.flush()
    first, second = bus.calls
    assert first == second
    assert Counter(bus.values) == {0: arrivals, 1: arrivals}


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException", "ValidationException"])
def test_what_will_not_pass_is_not_tried_again(bus: Bus, emitter: UsageEmitter, code: str) -> None:
    bus.script += [Answer(400, code, takes=False)]
    emitter.record("acme", "api-calls", 7)
    with pytest.raises(UsageNotSent, match=f"1 usages could not be sent .{code}") as told:
        emitter.flush()
    assert [usage["meterValue"] for usage in told.value.usages] == [7]
    assert len(bus.calls) == 1


def test_an_entry_that_will_not_pass_does_not_hold_up_its_neighbours(bus: Bus, emitter: UsageEmitter) -> None:
    bus.script += [Answer(failed_entries={0: "MalformedDetail", 1: "ThrottlingException"}), TAKEN]
    record_entries(emitter, 3)
    with pytest.raises(UsageNotSent, match="MalformedDetail") as told:
        emitter.flush()
    assert [usage["meterValue"] for usage in told.value.usages] == [0]
    assert [len(call) for call in bus.calls] == [3, 1]
    assert sorted(bus.values) == [1, 2]


def test_after_the_last_try_usages_go_to_on_failure_with_the_error(bus: Bus) -> None:
    bus.otherwise = THROTTLED
    failures: list[tuple[list[dict[str, Any]], Exception]] = []
    with UsageEmitter(
        "b", "s", client=bus.client, linger=NEVER, max_tries=3, on_failure=lambda *failure: failures.append(failure)
    ) as emitter:
        ids = record_entries(emitter, 2)
        emitter.flush()
    assert [usage["uniqueId"] for usages, _ in failures for usage in usages] == ids
    assert all("ThrottlingException" in str(error) for _, error in failures)
    assert len(bus.calls) == 3


def test_without_on_failure_usages_are_raised_once_and_logged_without_what_is_in_them(
    bus: Bus, emitter: UsageEmitter, caplog: pytest.LogCaptureFixture
) -> None:
    bus.otherwise = DENIED
    emitter.record("acme-and-sons", "api-calls", 1)
    with caplog.at_level(logging.DEBUG, "amberflo_workflows"), pytest.raises(UsageNotSent) as told:
        emitter.flush()
    assert [(r.levelname, r.getMessage()) for r in caplog.records if r.name.startswith("amberflo")] == [
        ("ERROR", "1 usages could not be sent (AccessDeniedException)")
    ]
    assert "acme-and-sons" not in str(told.value)
    emitter.flush()
    bus.otherwise = TAKEN
    emitter.record("acme", "api-calls", 2)
    emitter.close()
    assert bus.values == [2]


@pytest.mark.parametrize("error", [ValueError("no room for acme"), SystemExit(1)])
def test_usages_that_on_failure_does_not_take_are_kept(bus: Bus, error: BaseException) -> None:
    bus.script += [DENIED]

    def fail(_: object, __: Exception) -> None:
        raise error

    emitter = UsageEmitter("b", "s", client=bus.client, linger=NEVER, on_failure=fail)
    emitter.record("acme", "api-calls", 1)
    with pytest.raises(UsageNotSent) as told:
        emitter.flush()
    assert [usage["meterValue"] for usage in told.value.usages] == [1]
    emitter.record("acme", "api-calls", 2)
    emitter.close()
    assert bus.values == [2]


def test_on_failure_may_record_but_not_wait_for_itself(bus: Bus) -> None:
    bus.script += [DENIED]
    refused: list[str] = []

    def on_failure(usages: list[dict[str, Any]], _: Exception) -> None:
        usage.record("acme", "failures", len(usages))
        for wait in (usage.flush, usage.close):
            try:
                wait()
            except RuntimeError as error:
                refused.append(str(error))

    usage = UsageEmitter("b", "s", client=bus.client, linger=NEVER, on_failure=on_failure)
    usage.record("acme", "api-calls", 1)
    usage.flush()
    usage.close()
    assert [text[:37] for text in refused] == ["on_failure must not flush or close it"] * 2
    assert [found["meterApiName"] for found in bus.arrived] == ["failures"]


def test_a_usage_that_is_handed_back_and_recorded_again_is_the_same_usage(
    bus: Bus, emitter: UsageEmitter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bus.script += [DENIED]
    emitter.record("acme", "api-calls", 0.1, dimensions={"tier": 2, "note": None})
    with pytest.raises(UsageNotSent) as told:
        emitter.flush()
    names: dict[str, Any] = {}
    exec(example("def send_again"), names)  # noqa: S102 - from our own document
    names["keep"](told.value.usages, told.value.error)
    names["send_again"](emitter)
    emitter.close()
    assert bus.arrived == told.value.usages
    assert bus.calls[0] == bus.calls[1]


def test_an_exception_of_the_with_block_is_not_replaced_and_the_usages_are_not_lost(bus: Bus) -> None:
    bus.otherwise = DENIED
    emitter = UsageEmitter("b", "s", client=bus.client, linger=NEVER)
    emitter.record("acme", "api-calls", 1)
    with pytest.raises(KeyError, match="the application's own") as told, emitter:
        raise KeyError("the application's own")
    assert told.value.__notes__ == ["1 usages could not be sent; flush() of their emitter raises them"]
    with pytest.raises(UsageNotSent) as kept:
        emitter.flush()
    assert [usage["meterValue"] for usage in kept.value.usages] == [1]


def test_the_with_block_raises_what_could_not_be_sent(bus: Bus) -> None:
    bus.otherwise = DENIED
    with pytest.raises(UsageNotSent, match="2 usages"), UsageEmitter("b", "s", client=bus.client) as usage:
        record_entries(usage, 2)


def test_a_closed_emitter_takes_nothing_and_may_be_closed_again(bus: Bus, emitter: UsageEmitter) -> None:
    emitter.record("acme", "api-calls", 1)
    for _ in range(2):
        emitter.close()
    with pytest.raises(UsageNotTaken, match="closed"):
        emitter.record("acme", "api-calls", 2)
    emitter.flush()
    assert bus.values == [1]
