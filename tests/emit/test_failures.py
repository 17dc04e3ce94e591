import logging
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.emit import UsageEmitter, UsageNotSent, UsageNotTaken
from tests.emit.bus import ACCEPTED, DENIED, INVALID_BODIES, NEVER, THROTTLED, Bus, BusResponse, record_entries
from tests.emit.target import example


def test_only_failed_entries_are_retried_unchanged(bus: Bus, emitter: UsageEmitter) -> None:
    bus.script += [BusResponse(failed_entries={0: "ThrottlingException", 2: "InternalFailure"}), ACCEPTED]
    ids = record_entries(emitter, 4)
    emitter.flush()
    first, second = bus.calls
    assert second == [first[0], first[2]]
    assert Counter(usage["uniqueId"] for usage in bus.arrived) == Counter(ids)


@pytest.mark.parametrize(
    ("response", "arrivals"),
    [
        (THROTTLED, 1),
        (BusResponse(500, "InternalException", accepts=False), 1),
        (BusResponse(503, "SomethingNew", accepts=False), 1),
        (BusResponse(drops=True, accepts=False), 1),
        *((BusResponse(code=code, accepts=False), 1) for code in INVALID_BODIES),
        # The response is lost but not the events: they arrive twice, identical to the byte.
        (BusResponse(drops=True), 2),
    ],
)
def test_a_failed_call_is_retried_unchanged(
    bus: Bus, emitter: UsageEmitter, response: BusResponse, arrivals: int
) -> None:
    bus.script += [response, ACCEPTED]
    record_entries(emitter, 2)
    emitter.flush()
    first, second = bus.calls
    assert first == second
    assert Counter(bus.values) == {0: arrivals, 1: arrivals}


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException", "ValidationException"])
def test_a_permanent_error_is_not_retried(bus: Bus, emitter: UsageEmitter, code: str) -> None:
    bus.script += [BusResponse(400, code, accepts=False)]
    emitter.record("acme", "api-calls", 7)
    with pytest.raises(UsageNotSent, match=f"1 usages could not be sent .{code}") as caught:
        emitter.flush()
    assert [usage["meterValue"] for usage in caught.value.usages] == [7]
    assert len(bus.calls) == 1


def test_a_permanent_error_of_an_entry_does_not_stop_the_others(bus: Bus, emitter: UsageEmitter) -> None:
    bus.script += [BusResponse(failed_entries={0: "MalformedDetail", 1: "ThrottlingException"}), ACCEPTED]
    record_entries(emitter, 3)
    with pytest.raises(UsageNotSent, match="MalformedDetail") as caught:
        emitter.flush()
    assert [usage["meterValue"] for usage in caught.value.usages] == [0]
    assert [len(call) for call in bus.calls] == [3, 1]
    assert sorted(bus.values) == [1, 2]


def test_after_the_last_attempt_usages_are_passed_to_on_failure(bus: Bus) -> None:
    bus.default_response = THROTTLED
    failures: list[tuple[list[dict[str, Any]], Exception]] = []
    with UsageEmitter(
        "b", "s", client=bus.client, linger=NEVER, max_tries=3, on_failure=lambda *failure: failures.append(failure)
    ) as emitter:
        ids = record_entries(emitter, 2)
        emitter.flush()
    assert [usage["uniqueId"] for usages, _ in failures for usage in usages] == ids
    assert all("ThrottlingException" in str(error) for _, error in failures)
    assert len(bus.calls) == 3


def test_without_on_failure_usages_are_raised_once_and_their_content_is_not_logged(
    bus: Bus, emitter: UsageEmitter, caplog: pytest.LogCaptureFixture
) -> None:
    bus.default_response = DENIED
    emitter.record("acme-and-sons", "api-calls", 1)
    with caplog.at_level(logging.DEBUG, "amberflo_workflows"), pytest.raises(UsageNotSent) as caught:
        emitter.flush()
    assert [(r.levelname, r.getMessage()) for r in caplog.records if r.name.startswith("amberflo")] == [
        ("ERROR", "1 usages could not be sent (AccessDeniedException)")
    ]
    assert "acme-and-sons" not in str(caught.value)
    emitter.flush()
    bus.default_response = ACCEPTED
    emitter.record("acme", "api-calls", 2)
    emitter.close()
    assert bus.values == [2]


@pytest.mark.parametrize("error", [ValueError("no room for acme"), SystemExit(1)])
def test_usages_are_raised_if_on_failure_raises(bus: Bus, error: BaseException) -> None:
    bus.script += [DENIED]

    def fail(_: object, __: Exception) -> None:
        raise error

    emitter = UsageEmitter("b", "s", client=bus.client, linger=NEVER, on_failure=fail)
    emitter.record("acme", "api-calls", 1)
    with pytest.raises(UsageNotSent) as caught:
        emitter.flush()
    assert [usage["meterValue"] for usage in caught.value.usages] == [1]
    emitter.record("acme", "api-calls", 2)
    emitter.close()
    assert bus.values == [2]


def test_on_failure_may_record_but_not_flush_or_close(bus: Bus) -> None:
    bus.script += [DENIED]
    errors: list[str] = []

    def on_failure(usages: list[dict[str, Any]], _: Exception) -> None:
        usage.record("acme", "failures", len(usages))
        for method in (usage.flush, usage.close):
            try:
                method()
            except RuntimeError as error:
                errors.append(str(error))

    usage = UsageEmitter("b", "s", client=bus.client, linger=NEVER, on_failure=on_failure)
    usage.record("acme", "api-calls", 1)
    usage.flush()
    usage.close()
    assert [error[:37] for error in errors] == ["on_failure must not flush or close it"] * 2
    assert [usage["meterApiName"] for usage in bus.arrived] == ["failures"]


def test_a_failed_usage_that_is_recorded_again_is_the_same_usage(
    bus: Bus, emitter: UsageEmitter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bus.script += [DENIED]
    emitter.record("acme", "api-calls", 0.1, dimensions={"tier": 2, "note": None})
    with pytest.raises(UsageNotSent) as caught:
        emitter.flush()
    names: dict[str, Any] = {}
    exec(example("def send_again"), names)  # noqa: S102 - from our own document
    names["save"](caught.value.usages, caught.value.error)
    names["send_again"](emitter)
    emitter.close()
    assert bus.arrived == caught.value.usages
    assert bus.calls[0] == bus.calls[1]


def test_an_exception_of_the_with_block_gets_a_note_and_the_usages_are_not_lost(bus: Bus) -> None:
    bus.default_response = DENIED
    emitter = UsageEmitter("b", "s", client=bus.client, linger=NEVER)
    emitter.record("acme", "api-calls", 1)
    with pytest.raises(KeyError, match="the application's own") as caught, emitter:
        raise KeyError("the application's own")
    assert caught.value.__notes__ == ["1 usages could not be sent; flush() of their emitter raises them"]
    with pytest.raises(UsageNotSent) as caught_later:
        emitter.flush()
    assert [usage["meterValue"] for usage in caught_later.value.usages] == [1]


def test_the_with_block_raises_failed_usages(bus: Bus) -> None:
    bus.default_response = DENIED
    with pytest.raises(UsageNotSent, match="2 usages"), UsageEmitter("b", "s", client=bus.client) as usage:
        record_entries(usage, 2)


def test_a_closed_emitter_rejects_usages_and_can_be_closed_again(bus: Bus, emitter: UsageEmitter) -> None:
    emitter.record("acme", "api-calls", 1)
    for _ in range(2):
        emitter.close()
    with pytest.raises(UsageNotTaken, match="closed"):
        emitter.record("acme", "api-calls", 2)
    emitter.flush()
    assert bus.values == [1]
