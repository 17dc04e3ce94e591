import time
from itertools import pairwise
from typing import Any

import pytest

from amberflo_workflows.sandbox.usage import interval_start
from tests.sandbox.conftest import Amberflo, record

DAY = 86_400
# Complete days in the past, so that no result depends on the time of day.
MIDNIGHT = int(time.time()) // DAY * DAY - 3 * DAY


def _record(day: int, value: float, **fields: Any) -> dict[str, Any]:
    return record(meterTimeInMillis=(MIDNIGHT + day * DAY + 60) * 1000, meterValue=value, **fields)


def _query(amberflo: Amberflo, days: int = 3, **query: Any) -> Any:
    time_range = {"startTimeInSeconds": MIDNIGHT + 5_000, "endTimeInSeconds": MIDNIGHT + days * DAY - 5_000}
    return amberflo.usage(**{"timeRange": time_range, "timeGroupingInterval": "DAY", **query})


def test_the_report_is_that_of_the_documentation(amberflo: Amberflo) -> None:
    amberflo.create_meter()
    amberflo.ingest(
        _record(1, 4_040, customerId="xxx"),
        _record(2, 19_605, customerId="xxx"),
        _record(1, 2_507, customerId="yyy"),
        _record(2, 20_101, customerId="yyy"),
    )
    report = _query(amberflo, groupBy=["customerId"])
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


def test_the_range_is_widened_to_full_intervals(amberflo: Amberflo) -> None:
    amberflo.create_meter()
    amberflo.ingest(record(meterTimeInMillis=(MIDNIGHT + 1) * 1000), _record(3, 1, uniqueId="v"))
    assert _query(amberflo)["clientMeters"][0]["groupValue"] == 1


@pytest.mark.parametrize(
    ("seconds", "interval", "expected"),
    [
        (1_619_294_851, "HOUR", 1_619_294_400),
        (1_619_294_851, "DAY", 1_619_222_400),
        (1_619_294_851, "WEEK", 1_618_790_400),
        (1_619_294_851, "MONTH", 1_617_235_200),
    ],
    ids=["hour", "day", "week", "month"],
)
def test_intervals_start_in_utc_and_weeks_on_monday(seconds: int, interval: str, expected: int) -> None:
    assert interval_start(seconds, interval) == expected


def test_the_default_interval_is_an_hour(amberflo: Amberflo) -> None:
    amberflo.create_meter()
    time_range = {"startTimeInSeconds": MIDNIGHT + 60, "endTimeInSeconds": MIDNIGHT + 2 * 3_600 + 60}
    intervals = amberflo.usage(timeRange=time_range)["secondsSinceEpochIntervals"]
    assert len(intervals) == 3
    assert {later - earlier for earlier, later in pairwise(intervals)} == {3_600}


@pytest.mark.parametrize(("aggregation", "value"), [("SUM", 9), ("count", 3), ("Min", 2), ("MAX", 4)])
def test_an_aggregation_covers_the_complete_range_and_ignores_case(
    amberflo: Amberflo, aggregation: str, value: float
) -> None:
    amberflo.create_meter()
    amberflo.ingest(_record(0, 2), _record(1, 3), _record(1, 4, uniqueId="v"))
    assert _query(amberflo, aggregation=aggregation)["clientMeters"][0]["groupValue"] == value


def test_distinct_users_are_counted_once(amberflo: Amberflo) -> None:
    amberflo.create_meter(meterType="active_users", dimensions=["user"], aggregationDimensions=["user"])
    for number, user in enumerate(("a", "a", "b")):
        amberflo.ingest(_record(0, 1, uniqueId=str(number), dimensions={"user": user}))
    assert _query(amberflo)["clientMeters"][0]["groupValue"] == 2


def test_values_of_a_filter_are_alternatives_and_filters_combine(amberflo: Amberflo) -> None:
    amberflo.create_meter()
    for number, (customer, region) in enumerate((("a", "eu"), ("a", "us"), ("b", "eu"), ("c", "ap"))):
        amberflo.ingest(
            _record(0, 10**number, customerId=customer, dimensions={"region": region}, uniqueId=str(number))
        )
    for filters, value in (
        ({"region": ["eu", "us"]}, 111),
        ({"region": ["eu"], "customerId": ["a"]}, 1),
        ({"customerId": ["a", "c"]}, 1_011),
    ):
        assert _query(amberflo, filter=filters)["clientMeters"][0]["groupValue"] == value


def test_a_report_can_be_limited_to_the_largest_or_smallest_groups(amberflo: Amberflo) -> None:
    amberflo.create_meter()
    for number, customer in enumerate(("a", "b", "c")):
        amberflo.ingest(_record(0, number + 1, customerId=customer))
    for ascending, values in ((False, [3, 2]), (True, [1, 2])):
        report = _query(amberflo, groupBy=["customerId"], take={"limit": 2, "isAscending": ascending})
        assert [group["groupValue"] for group in report["clientMeters"]] == values


def test_without_usage_there_is_no_group_or_one_with_zeros(amberflo: Amberflo) -> None:
    amberflo.create_meter()
    assert _query(amberflo, groupBy=["customerId"])["clientMeters"] == []
    (group,) = _query(amberflo)["clientMeters"]
    assert (group["groupValue"], [value["value"] for value in group["values"]]) == (0, [0, 0, 0])


def test_a_sparse_report_omits_empty_intervals(amberflo: Amberflo) -> None:
    amberflo.create_meter()
    amberflo.ingest(_record(0, 2), _record(2, 3))
    time_range = {"startTimeInSeconds": MIDNIGHT, "endTimeInSeconds": MIDNIGHT + 3 * DAY}
    query = {"meterApiName": "api-calls", "timeRange": time_range, "timeGroupingInterval": "DAY"}
    report = amberflo.json("POST", "/usage/sparse", query)
    assert [value["value"] for value in report["clientMeters"][0]["values"]] == [2, 3]
    assert "secondsSinceEpochIntervals" not in report
    assert amberflo.json("POST", "/usage/sparse/batch", [query]) == [report]


def test_a_batch_is_a_list_and_fails_as_a_whole(amberflo: Amberflo) -> None:
    amberflo.create_meter()
    query = {"meterApiName": "api-calls", "timeRange": {"startTimeInSeconds": MIDNIGHT}}
    assert "Invalid request" in amberflo.error_message("POST", "/usage/batch", None)
    assert "Invalid request" in amberflo.error_message("POST", "/usage/batch", query)
    assert "does not exist" in amberflo.error_message("POST", "/usage/batch", [query, {**query, "meterApiName": "x"}])


def test_a_meter_of_a_maximum_reports_it_by_default(amberflo: Amberflo) -> None:
    amberflo.create_meter(meterType="max_usage", dimensions=None)
    amberflo.ingest(_record(0, 5), _record(1, 3))
    for aggregation, value in ((None, 5), ("sum", 8)):
        assert _query(amberflo, aggregation=aggregation)["clientMeters"][0]["groupValue"] == value


def test_a_large_report_is_compressed_if_the_client_accepts_it(amberflo: Amberflo) -> None:
    amberflo.create_meter()
    query = {"meterApiName": "api-calls", "timeRange": {"startTimeInSeconds": MIDNIGHT}}
    responses = [
        amberflo.call("POST", "/usage", query, headers={"Accept-Encoding": encoding})
        for encoding in ("gzip", "identity")
    ]
    assert [response.headers.get("Content-Encoding") for response in responses] == ["gzip", None]
    assert responses[0].json()["clientMeters"] == responses[1].json()["clientMeters"]


ODD_NAMES = [
    'a"b',
    "a'b",
    "a\\b",
    "a/b",
    "a~1b",
    "a.b",
    "$",
    "*",
    "a[0]",
    "0",
    " ",
    'x"."y',
    "a\nb",
    "DROP TABLE records; --",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_names_may_have_any_characters(amberflo: Amberflo, name: str) -> None:
    amberflo.create_meter(dimensions=[name, "region"], aggregationDimensions=[name])
    amberflo.ingest(*(_record(0, value, uniqueId=str(value), dimensions={name: name * value}) for value in (1, 2)))
    groups = _query(amberflo, groupBy=[name], filter={name: [name]})["clientMeters"]
    assert [(group["group"]["groupInfo"], group["groupValue"]) for group in groups] == [({name: name}, 1)]
    assert _query(amberflo, aggregation="UNIQUE")["clientMeters"][0]["groupValue"] == 2
    unknown = {"meterApiName": "api-calls", "timeRange": {"startTimeInSeconds": MIDNIGHT}, "groupBy": [f"{name}?"]}
    assert "unknown dimension" in amberflo.error_message("POST", "/usage", unknown)


@pytest.mark.parametrize("group_by", [[], ["customerId"]])
def test_a_sum_that_overflows_is_a_400(amberflo: Amberflo, group_by: list[str]) -> None:
    amberflo.create_meter()
    amberflo.ingest(*(_record(0, 1e308, uniqueId=str(number)) for number in range(3)))
    query = {"meterApiName": "api-calls", "timeRange": {"startTimeInSeconds": MIDNIGHT}, "groupBy": group_by}
    assert "too large to be added up" in amberflo.error_message("POST", "/usage", query)


@pytest.mark.parametrize("ascending", [True, False])
def test_groups_with_the_same_total_keep_their_order(amberflo: Amberflo, *, ascending: bool) -> None:
    amberflo.create_meter()
    amberflo.ingest(*(_record(0, 1, customerId=f"c{number}") for number in (3, 1, 2, 0)))
    for limit in (1, 2, 4):
        report = _query(amberflo, groupBy=["customerId"], take={"limit": limit, "isAscending": ascending})
        names = [group["group"]["groupInfo"]["customerId"] for group in report["clientMeters"]]
        assert names == ["c0", "c1", "c2", "c3"][:limit]


def test_accepts_requests_of_the_npm_package(amberflo: Amberflo) -> None:
    amberflo.create_meter()
    amberflo.ingest(_record(0, 2))
    time_range = {"startTimeInSeconds": str(MIDNIGHT), "endTimeInSeconds": None}
    before = int(time.time())
    report = amberflo.usage(timeRange=time_range, timeGroupingInterval="DAY", take={"limit": "1"}, more="x")
    assert report["clientMeters"][0]["groupValue"] == 2
    assert before <= report["metadata"]["timeRange"]["endTimeInSeconds"] <= time.time()


@pytest.mark.parametrize(
    ("query", "fragment"),
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
    ids=[
        "unknown meter",
        "unknown group",
        "unknown filter",
        "unknown interval",
        "unknown aggregation",
        "invalid range",
        "empty range",
        "group as text",
        "nested group",
        "filter value as text",
        "numeric filter value",
        "list of filters",
        "take as text",
        "limit 0",
    ],
)
def test_an_invalid_query_is_a_400(amberflo: Amberflo, query: dict[str, Any], fragment: str) -> None:
    amberflo.create_meter()
    body = {"meterApiName": "api-calls", "timeRange": {"startTimeInSeconds": MIDNIGHT}, **query}
    assert fragment in amberflo.error_message("POST", "/usage", body)
