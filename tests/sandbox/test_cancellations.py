import time
from typing import Any

import pytest

from tests.sandbox.conftest import Amberflo, record

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


@pytest.mark.parametrize(("begin", "end", "left"), [(-60, 0, 1), (0, 60, 0), (60, 120, 1)])
def test_a_report_leaves_out_what_came_in_from_the_first_second_up_to_the_last(
    amberflo: Amberflo, begin: int, end: int, left: float
) -> None:
    now = int(time.time())
    amberflo.create_meter()
    amberflo.ingest(record())
    amberflo.json("POST", RULES, _rule(now + begin, now + end))
    assert amberflo.usage()["clientMeters"][0]["groupValue"] == left


def test_rules_add_up_and_are_listed_by_id(amberflo: Amberflo) -> None:
    now = int(time.time())
    amberflo.ingest(record())
    rules = [_rule(now - 5, now + 5, id="a"), _rule(1, 2, id="b")]
    for rule in reversed(rules):
        amberflo.json("POST", RULES, rule)
    assert amberflo.json("GET", RULES) == rules
    assert _total(amberflo) == 0


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
        {"type": None},
        {"id": 5},
        {"meterApiName": ["api-calls"]},
        {"customerId": "acme"},
        {"ingestionTimeRange": {"startTimeInSeconds": 1, "endTimeInSeconds": 2, "customerId": "acme"}},
        {"ingestionTimeRange": {"startTimeInSeconds": "1", "endTimeInSeconds": "2"}},
        {"ingestionTimeRange": {"startTimeInSeconds": 1, "endTimeInSeconds": 2**63}},
    ],
)
def test_a_rule_with_a_part_that_cannot_be_applied_is_a_400_and_cancels_nothing(
    amberflo: Amberflo, wrong: dict[str, Any]
) -> None:
    now = int(time.time())
    amberflo.ingest(record())
    assert "Invalid request" in amberflo.refusal("POST", RULES, _rule(now - 5, now + 5, **wrong))
    assert _total(amberflo) == 1


def test_a_record_that_comes_again_marked_is_taken_back_and_no_other(amberflo: Amberflo) -> None:
    amberflo.ingest(record(), record(uniqueId="v"), record(meterValue=5, uniqueId="w"))
    marked = record(dimensions={"region": "eu", "aflo.cancel_previous_resource_event": "true"})
    for _ in range(2):
        amberflo.ingest(marked)
        assert _total(amberflo) == 6
    amberflo.ingest({**marked, "uniqueId": "w"})
    assert _total(amberflo) == 6, "its value is another"


@pytest.mark.parametrize("mark", ["false", "TRUE", ""])
def test_only_the_mark_true_takes_a_record_back(amberflo: Amberflo, mark: str) -> None:
    amberflo.ingest(record())
    amberflo.ingest(record(dimensions={"region": "eu", "aflo.cancel_previous_resource_event": mark}))
    assert _total(amberflo) == 1


def test_a_report_leaves_out_what_was_taken_back(amberflo: Amberflo) -> None:
    amberflo.create_meter()
    amberflo.ingest(record(), record(uniqueId="v", meterValue=2))
    amberflo.ingest(record(dimensions={"aflo.cancel_previous_resource_event": "true", "region": "eu"}))
    (group,) = amberflo.usage(groupBy=["region"])["clientMeters"]
    assert (group["groupValue"], amberflo.usage(aggregation="COUNT")["clientMeters"][0]["groupValue"]) == (2, 1)
