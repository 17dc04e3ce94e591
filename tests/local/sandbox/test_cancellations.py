import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.local.sandbox.conftest import Amberflo, record

RULES = "/ingest-snapshot/custom-filtering-rules"


def _rule(begin: int, end: int, **fields: Any) -> dict[str, Any]:
    window = {"startTimeInSeconds": begin, "endTimeInSeconds": end}
    made = {
        "id": "rule-1",
        "meterApiName": "api-calls",
        "ingestionTimeRange": window,
        "type": "by_property_filter_out",
    }
    return {**made, **fields}


def _total(amberflo: Amberflo) -> float:
    return sum(amberflo.sandbox.totals("api-calls").values())


def test_a_rule_takes_away_what_was_taken_in_then_whatever_time_it_bears(amberflo: Amberflo) -> None:
    now = int(time.time())
    amberflo.ingest(record(meterTimeInMillis=(now - 30 * 86_400) * 1000), record(customerId="globex"))
    amberflo.ingest(record(meterApiName="other"))
    assert amberflo.json("POST", RULES, _rule(now - 5, now + 5)) == _rule(now - 5, now + 5)
    assert (_total(amberflo), amberflo.sandbox.totals("other")) == (0, {"acme": 1})
    assert amberflo.json("GET", f"{RULES}?meterApiName=api-calls") == [_rule(now - 5, now + 5)]
    assert amberflo.json("GET", f"{RULES}?meterApiName=other") == []


def test_the_same_id_again_replaces_the_rule(amberflo: Amberflo) -> None:
    now = int(time.time())
    amberflo.ingest(record())
    for window, total in (((now - 5, now + 5), 0), ((1, 2), 1)):
        amberflo.json("POST", RULES, _rule(*window))
        assert _total(amberflo) == total


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": ""},
        {"meterApiName": ""},
        {"ingestionTimeRange": {"startTimeInSeconds": 1}},
        {"ingestionTimeRange": None},
        {"type": "other"},
        {"customerId": "acme"},
    ],
)
def test_a_rule_with_a_part_that_cannot_be_applied_is_a_400_and_cancels_nothing(
    amberflo: Amberflo, wrong: dict[str, Any]
) -> None:
    now = int(time.time())
    amberflo.ingest(record())
    assert "Invalid request" in amberflo.refusal("POST", RULES, _rule(now - 5, now + 5, **wrong))
    assert _total(amberflo) == 1


def test_a_rule_works_after_the_delay_that_was_chosen(started: Callable[..., Amberflo]) -> None:
    amberflo, now = started(rule_delay_seconds=0.5), int(time.time())
    amberflo.ingest(record())
    amberflo.json("POST", RULES, _rule(now - 5, now + 5))
    assert _total(amberflo) == 1
    time.sleep(0.6)
    assert _total(amberflo) == 0


def test_a_record_that_comes_again_marked_is_taken_back_and_no_other(amberflo: Amberflo) -> None:
    amberflo.ingest(record(), record(uniqueId="v"), record(meterValue=5, uniqueId="w"))
    marked = record(dimensions={"region": "eu", "aflo.cancel_previous_resource_event": "true"})
    for _ in range(2):
        amberflo.ingest(marked)
        assert _total(amberflo) == 6
    amberflo.ingest({**marked, "uniqueId": "w"})
    assert _total(amberflo) == 6, "its value is another"
