import time
from itertools import pairwise
from typing import Any

import pytest

from amberflo_workflows.sandbox.usage import interval_start
from tests.sandbox.conftest import Amberflo, record

DAY = 86_400
# Whole days in the past, so that what is asked for does not hang on the hour of the day.
MIDNIGHT = int(time.time()) // DAY * DAY - 3 * DAY


def _at(day: int, value: float, **fields: Any) -> dict[str, Any]:
    return record(meterTimeInMillis=(MIDNIGHT + day * DAY + 60) * 1000, meterValue=value, **fields)


def _ask(amberflo: Amberflo, days: int = 3, **question: Any) -> Any:
    time_range = {"startTimeInSeconds": MIDNIGHT + 5_000, "endTimeInSeconds": MIDNIGHT + days * DAY - 5_000}
    return amberflo.usage(**{"timeRange": time_range, "timeGroupingInterval": "DAY", **question})


def test_the_documented_report_comes_out_as_it_is_documented(amberflo: Amberflo) -> None:
    amberflo.create_meter()
    amberflo.ingest(
        _at(1, 4_040, customerId="xxx"),
        _at(2, 19_605, customerId="xxx"),
        _at(1, 2_507, customerId="yyy"),
        _at(2, 20_101, customerId="yyy"),
    )
    report = _ask(amberflo, groupBy=["customerId"])
    assert report["secondsSinceEpochIntervals"] == [MIDNIGHT, MIDNIGHT + DAY, MIDNIGHT + 2 * DAY]
    rows = {group["group"]["groupInfo"]["customerId"]: group for group in report["clientMeters"]}
    assert (rows["xxx"]["groupValue"], rows["yyy"]["groupValue"]) == (23_645.0, 22_608.0)
    for customer, values, percentages in (
        ("xxx", [0.0, 4_040.0, 19_605.0], [0.0, 100.0, 385.2722772277228]),
        ("yyy", [0.0, 2_507.0, 20_101.0], [0.0, 100.0, 701.7949740725967]),
    ):
        assert [value["value"] for value in rows[customer]["values"]] == values
        assert [value["percentageFromPrevious"] for value in rows[customer]["values"]] == percentages
    assert [group["groupValue"] for group in report["clientMeters"]] == [23_645.0, 22_608.0]


def test_the_range_is_widened_to_whole_intervals(amberflo: Amberflo) -> None:
    amberflo.create_meter()
    amberflo.ingest(record(meterTimeInMillis=(MIDNIGHT + 1) * 1000), _at(3, 1, uniqueId="v"))
    assert _ask(amberflo)["clientMeters"][0]["groupValue"] == 1


@pytest.mark.parametrize(
    ("moment", "interval", "begin"),
    [
        (1_619_294_851, "HOUR", 1_619_294_400),
        (1_619_294_851, "DAY", 1_619_222_400),
        (1_619_294_851, "WEEK", 1_618_790_400),
        (1_619_294_851, "MONTH", 1_617_235_200),
    ],
)
def test_intervals_begin_in_utc_and_weeks_on_monday(moment: int, interval: str, begin: int) -> None:
    assert interval_start(moment, interval) == begin


def test_without_an_interval_it_is_the_hour(amberflo: Amberflo) -> None:
    amberflo.create_meter()
    time_range = {"startTimeInSeconds": MIDNIGHT + 60, "endTimeInSeconds": MIDNIGHT + 2 * 3_600 + 60}
    intervals = amberflo.usage(timeRange=time_range)["secondsSinceEpochIntervals"]
    assert len(intervals) == 3
    assert {later - earlier for earlier, later in pairwise(intervals)} == {3_600}


@pytest.mark.parametrize(("aggregation", "value"), [("SUM", 9), ("count", 3), ("Min", 2), ("MAX", 4)])
def test_an_aggregation_is_over_the_whole_range_in_any_case(amberflo: Amberflo, aggregation: str, value: float) -> None:
    amberflo.create_meter()
    amberflo.ingest(_at(0, 2), _at(1, 3), _at(1, 4, uniqueId="v"))
    assert _ask(amberflo, aggregation=aggregation)["clientMeters"][0]["groupValue"] == value


def test_distinct_users_are_counted_once(amberflo: Amberflo) -> None:
    amberflo.create_meter(meterType="active_users", dimensions=["user"], aggregationDimensions=["user"])
    for number, user in enumerate(("a", "a", "b")):
        amberflo.ingest(_at(0, 1, uniqueId=str(number), dimensions={"user": user}))
    assert _ask(amberflo)["clientMeters"][0]["groupValue"] == 2


def test_filters_are_or_within_a_key_and_and_across(amberflo: Amberflo) -> None:
    amberflo.create_meter()
    for number, (customer, region) in enumerate((("a", "eu"), ("a", "us"), ("b", "eu"), ("c", "ap"))):
        amberflo.ingest(_at(0, 10**number, customerId=customer, dimensions={"region": region}, uniqueId=str(number)))
    for filters, value in (
        ({"region": ["eu", "us"]}, 111),
        ({"region": ["eu"], "customerId": ["a"]}, 1),
        ({"customerId": ["a", "c"]}, 1_011),
    ):
        assert _ask(amberflo, filter=filters)["clientMeters"][0]["groupValue"] == value


def test_only_so_many_groups_are_given_from_either_end(amberflo: Amberflo) -> None:
    amberflo.create_meter()
    for number, customer in enumerate(("a", "b", "c")):
        amberflo.ingest(_at(0, number + 1, customerId=customer))
    for ascending, values in ((False, [3, 2]), (True, [1, 2])):
        report = _ask(amberflo, groupBy=["customerId"], take={"limit": 2, "isAscending": ascending})
        assert [group["groupValue"] for group in report["clientMeters"]] == values


def test_nothing_matched_is_no_group_or_one_of_zeros(amberflo: Amberflo) -> None:
    amberflo.create_meter()
    assert _ask(amberflo, groupBy=["customerId"])["clientMeters"] == []
    (whole,) = _ask(amberflo)["clientMeters"]
    assert (whole["groupValue"], [value["value"] for value in whole["values"]]) == (0, [0, 0, 0])


def test_a_sparse_report_leaves_the_gaps_out(amberflo: Amberflo) -> None:
    amberflo.create_meter()
    amberflo.ingest(_at(0, 2), _at(2, 3))
    time_range = {"startTimeInSeconds": MIDNIGHT, "endTimeInSeconds": MIDNIGHT + 3 * DAY}
    question = {"meterApiName": "api-calls", "timeRange": time_range, "timeGroupingInterval": "DAY"}
    report = amberflo.json("POST", "/usage/sparse", question)
    assert [value["value"] for value in report["clientMeters"][0]["values"]] == [2, 3]
    assert "secondsSinceEpochIntervals" not in report
    assert amberflo.json("POST", "/usage/sparse/batch", [question]) == [report]


def test_a_batch_is_a_list_and_is_answered_whole_or_not_at_all(amberflo: Amberflo) -> None:
    amberflo.create_meter()
    question = {"meterApiName": "api-calls", "timeRange": {"startTimeInSeconds": MIDNIGHT}}
    assert "Invalid request" in amberflo.refusal("POST", "/usage/batch", None)
    assert "Invalid request" in amberflo.refusal("POST", "/usage/batch", question)
    assert "does not exist" in amberflo.refusal("POST", "/usage/batch", [question, {**question, "meterApiName": "x"}])


def test_a_meter_of_a_maximum_reports_it_unless_asked_otherwise(amberflo: Amberflo) -> None:
    amberflo.create_meter(meterType="max_usage", dimensions=None)
    amberflo.ingest(_at(0, 5), _at(1, 3))
    for asked, value in ((None, 5), ("sum", 8)):
        assert _ask(amberflo, aggregation=asked)["clientMeters"][0]["groupValue"] == value


def test_a_large_report_is_packed_for_who_can_unpack_it(amberflo: Amberflo) -> None:
    amberflo.create_meter()
    question = {"meterApiName": "api-calls", "timeRange": {"startTimeInSeconds": MIDNIGHT}}
    answers = [
        amberflo.call("POST", "/usage", question, headers={"Accept-Encoding": form}) for form in ("gzip", "identity")
    ]
    assert [answer.headers.get("Content-Encoding") for answer in answers] == ["gzip", None]
    assert answers[0].json()["clientMeters"] == answers[1].json()["clientMeters"]


def test_what_the_npm_package_sends_is_taken(amberflo: Amberflo) -> None:
    amberflo.create_meter()
    amberflo.ingest(_at(0, 2))
    time_range = {"startTimeInSeconds": str(MIDNIGHT), "endTimeInSeconds": None}
    report = amberflo.usage(timeRange=time_range, timeGroupingInterval="DAY", take={"limit": "1"}, more="x")
    assert report["clientMeters"][0]["groupValue"] == 2
    assert abs(report["metadata"]["timeRange"]["endTimeInSeconds"] - time.time()) < 60


@pytest.mark.parametrize(
    ("question", "fragment"),
    [
        ({"meterApiName": "unknown"}, "meter 'unknown' does not exist"),
        ({"groupBy": ["unknown"]}, "unknown dimension 'unknown'"),
        ({"filter": {"unknown": ["x"]}}, "unknown dimension 'unknown'"),
        ({"timeGroupingInterval": "YEAR"}, "'timeGroupingInterval' is not valid"),
        ({"aggregation": "AVG"}, "'aggregation' is not valid"),
        ({"timeRange": {"startTimeInSeconds": "today"}}, "'timeRange' is not valid"),
        ({"timeRange": {"startTimeInSeconds": 9, "endTimeInSeconds": 9}}, "'timeRange' is empty"),
        ({"groupBy": "customerId"}, "`$.groupBy`"),
        ({"groupBy": [["customerId"]]}, "`$.groupBy"),
        ({"filter": {"customerId": "acme"}}, "`$.filter"),
        ({"filter": {"customerId": [1]}}, "`$.filter"),
        ({"filter": ["customerId"]}, "`$.filter`"),
        ({"take": "5"}, "`$.take`"),
        ({"take": {"limit": 0}}, "`$.take.limit`"),
    ],
)
def test_a_wrong_question_is_a_400(amberflo: Amberflo, question: dict[str, Any], fragment: str) -> None:
    amberflo.create_meter()
    asked = {"meterApiName": "api-calls", "timeRange": {"startTimeInSeconds": MIDNIGHT}, **question}
    assert fragment in amberflo.refusal("POST", "/usage", asked)
