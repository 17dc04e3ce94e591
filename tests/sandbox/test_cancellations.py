import time
from typing import Any

import pytest

from tests.sandbox.conftest import Amberflo, record

RULES = "/ingest-snapshot/custom-filtering-rules"


def _rule(start: int, end: int, **fields: Any) -> dict[str, Any]:
    window = {"startTimeInSeconds": start, "endTimeInSeconds": end}
    defaults = {
        "id": "rule-1",
        "meterApiName": "api-calls",
        "ingestionTimeRange": window,
        "type": "by_property_filter_out",
    }
    return {**defaults, **fields}


def test_a_rule_filters_by_ingestion_time_not_by_meter_time(amberflo: Amberflo) -> None:
    now = int(time.time())
    amberflo.ingest(record(meterTimeInMillis=(now - 30 * 86_400) * 1000), record(customerId="globex"))
    amberflo.ingest(record(meterApiName="other"))
    assert amberflo.json("POST", RULES, _rule(now - 60, now + 60)) == _rule(now - 60, now + 60)
    assert (amberflo.total(), amberflo.sandbox.totals("other")) == (0, {"acme": 1})
    assert amberflo.json("GET", f"{RULES}?meterApiName=api-calls") == [_rule(now - 60, now + 60)]
    assert amberflo.json("GET", f"{RULES}?meterApiName=other") == []


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(-120, 0, 1), (0, 120, 0), (120, 240, 1)],
    ids=["range before", "range around", "range after"],
)
def test_a_report_omits_usage_ingested_in_the_range_of_a_rule(
    amberflo: Amberflo, start: int, end: int, expected: float
) -> None:
    now = int(time.time())
    amberflo.create_meter()
    amberflo.ingest(record())
    amberflo.json("POST", RULES, _rule(now + start, now + end))
    assert amberflo.usage()["clientMeters"][0]["groupValue"] == expected


def test_rules_combine_and_are_listed_by_id(amberflo: Amberflo) -> None:
    now = int(time.time())
    amberflo.ingest(record())
    rules = [_rule(now - 60, now + 60, id="a"), _rule(1, 2, id="b")]
    for rule in reversed(rules):
        amberflo.json("POST", RULES, rule)
    assert amberflo.json("GET", RULES) == rules
    assert amberflo.total() == 0


def test_a_rule_with_an_existing_id_replaces_it(amberflo: Amberflo) -> None:
    now = int(time.time())
    amberflo.ingest(record())
    for window, total in (((now - 60, now + 60), 0), ((1, 2), 1)):
        amberflo.json("POST", RULES, _rule(*window))
        assert amberflo.total() == total


@pytest.mark.parametrize(
    "fields",
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
    ids=[
        "empty id",
        "empty meter",
        "no end",
        "no range",
        "unknown type",
        "no type",
        "numeric id",
        "list of meters",
        "unknown member",
        "unknown member of the range",
        "times as text",
        "time over 64 bits",
    ],
)
def test_an_invalid_rule_is_a_400_and_cancels_nothing(amberflo: Amberflo, fields: dict[str, Any]) -> None:
    now = int(time.time())
    amberflo.ingest(record())
    assert "Invalid request" in amberflo.error_message("POST", RULES, _rule(now - 60, now + 60, **fields))
    assert amberflo.total() == 1


def test_a_marked_copy_cancels_only_its_record(amberflo: Amberflo) -> None:
    amberflo.ingest(record(), record(uniqueId="v"), record(meterValue=5, uniqueId="w"))
    marked = record(dimensions={"region": "eu", "aflo.cancel_previous_resource_event": "true"})
    for _ in range(2):
        amberflo.ingest(marked)
        assert amberflo.total() == 6
    amberflo.ingest({**marked, "uniqueId": "w"})
    assert amberflo.total() == 6, "a copy with another value cancels nothing"


@pytest.mark.parametrize("mark", ["false", "TRUE", ""], ids=["false", "upper case", "empty"])
def test_only_the_mark_true_cancels_a_record(amberflo: Amberflo, mark: str) -> None:
    amberflo.ingest(record())
    amberflo.ingest(record(dimensions={"region": "eu", "aflo.cancel_previous_resource_event": mark}))
    assert amberflo.total() == 1


def test_a_report_omits_cancelled_records(amberflo: Amberflo) -> None:
    amberflo.create_meter()
    amberflo.ingest(record(), record(uniqueId="v", meterValue=2))
    amberflo.ingest(record(dimensions={"aflo.cancel_previous_resource_event": "true", "region": "eu"}))
    (group,) = amberflo.usage(groupBy=["region"])["clientMeters"]
    assert (group["groupValue"], amberflo.usage(aggregation="COUNT")["clientMeters"][0]["groupValue"]) == (2, 1)
