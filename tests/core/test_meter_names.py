import json
import time
from typing import Any

import pytest

from amberflo_workflows.core.meter_names import MAX_SUGGESTIONS, KnownMeters, can_be_created
from amberflo_workflows.core.reported_usage import MAX_REASON_BYTES


def _know(*names: str) -> KnownMeters:
    return KnownMeters(frozenset(names))


def test_the_reason_has_the_nearest_name_and_what_to_do() -> None:
    assert _know("api-calls", "storage").find_error("api-cals") == (
        "there is no meter 'api-cals'; did you mean 'api-calls'? Create the meter, or redrive with --set "
        "meterApiName=NAME"
    )


@pytest.mark.parametrize("name", ["API-CALLS", "api_calls", "apicalls", "api-calls ", "Api-Cals"])
def test_names_that_differ_a_little_are_near(name: str) -> None:
    assert "did you mean 'api-calls'?" in _know("api-calls", "storage").find_error(name)


def test_there_is_no_suggestion_without_a_similar_name() -> None:
    expected = "there is no meter 'x'. Create the meter, or redrive with --set meterApiName=NAME"
    assert {_know(*names).find_error("x") for names in [(), ("api-calls",)]} == {expected}


def test_the_advice_is_not_to_create_what_the_api_refuses_to_create() -> None:
    assert _know("api-calls").find_error("api calls") == (
        "there is no meter 'api calls'; did you mean 'api-calls'? A meter cannot have this name: redrive with --set "
        "meterApiName=NAME"
    )


@pytest.mark.parametrize("name", ["api-calls", "Rate 2 %", "größe"])
def test_any_name_in_the_list_is_known(name: str) -> None:
    assert _know(name).find_error(name) == ""


def test_a_name_that_cannot_be_used_or_printed_is_no_suggestion() -> None:
    assert "did you mean" not in _know("api-calls\x1b", " api-calls", "api-calls" + "s" * 50).find_error("api-cals")


def test_what_is_not_a_meter_is_ignored() -> None:
    meters: list[Any] = [
        {"meterApiName": "a"},
        {},
        None,
        [],
        "b",
        {"meterApiName": 5},
        {"meterApiName": ["c"]},
        {"label": "d"},
    ]
    assert KnownMeters.from_meters(meters).names == {"a"}


@pytest.mark.parametrize("name", ["é" * 50, "\U0001f600" * 50, "x" * 50])
def test_a_reason_is_not_too_long_for_its_state(name: str) -> None:
    reason = _know(name[:-1] + "y").find_error(name)
    assert len(json.dumps(reason)) - 2 <= MAX_REASON_BYTES
    assert reason.startswith("there is no meter '")


def test_a_flood_of_unknown_names_gets_few_suggestions() -> None:
    known = _know(*(f"meter-{number}" for number in range(2_000)))
    started = time.process_time()
    reasons = [known.find_error(f"metre-{number}") for number in range(10_000)]
    assert sum("did you mean" in reason for reason in reasons) == MAX_SUGGESTIONS
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    ("name", "expected"),
    [("api-calls", True), ("a.B_9-", True), ("x" * 51, False), ("a b", False), ("é", False), ("a\n", False)],
)
def test_names_that_the_api_creates(name: str, expected: bool) -> None:
    assert can_be_created(name) is expected
