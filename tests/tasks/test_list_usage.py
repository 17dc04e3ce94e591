import json
from typing import Any

import pytest

from amberflo_workflows.tasks.amberflo.errors import AmberfloUnavailable
from tests.tasks.conftest import Steps
from tests.tasks.usages import NOW, build_usage

DAY = 86_400


def _list(steps: Steps, **question: Any) -> dict[str, Any]:
    """Return the report of each meter by its name."""
    response = steps.run("list_usage", question)
    assert response["statusCode"] == 200, response
    return {report["metadata"]["meterApiName"]: report for report in response["body"]["data"]}


def _totals(report: Any) -> dict[str, float]:
    """The total by customer; the key is empty if the report has no groups."""
    return {
        group.get("group", {}).get("groupInfo", {}).get("customerId", ""): group["groupValue"]
        for group in report["clientMeters"]
    }


@pytest.fixture
def counted(steps: Steps) -> Steps:
    """Usage of two tenants and two meters; a third meter has none."""
    steps.sandbox.create_meters("api-calls", "storage", "unused")
    usages = [
        build_usage(1, tenantId="t1", meterValue=2),
        build_usage(2, tenantId="a, b", meterValue=3),
        build_usage(3, tenantId="a, b", meterApiName="storage", meterValue=5),
    ]
    steps.run("send_usages", {"usages": usages})
    steps.sandbox.clear_requests()
    return steps


def test_the_usage_of_all_meters_is_one_call(counted: Steps) -> None:
    reports = _list(counted)
    assert {name: _totals(report) for name, report in reports.items()} == {
        "api-calls": {"": 5},
        "storage": {"": 5},
        "unused": {"": 0},
    }
    assert counted.sandbox.requests()["total"] == 1


def test_usage_is_grouped_by_tenant_and_limited_to_one(counted: Steps) -> None:
    assert _totals(_list(counted, groupBy="customerId")["api-calls"]) == {"t1": 2, "a, b": 3}
    of_tenant = _list(counted, tenantId="a, b")
    assert {name: _totals(report) for name, report in of_tenant.items()} == {
        "api-calls": {"": 3},
        "storage": {"": 5},
        "unused": {"": 0},
    }


def test_the_range_and_the_interval_are_those_of_the_query(counted: Steps) -> None:
    start = NOW // DAY * DAY - DAY
    question = {"startTimeInSeconds": str(start), "endTimeInSeconds": str(start + DAY), "timeGroupingInterval": "hour"}
    (group,) = _list(counted, **question)["storage"]["clientMeters"]
    assert [value["secondsSinceEpochUtc"] for value in group["values"]] == list(range(start, start + DAY, 3_600))


@pytest.mark.parametrize(("interval", "seconds"), [("HOUR", 3_600), ("DAY", DAY), ("WEEK", 7 * DAY)])
def test_the_number_of_intervals_is_limited(steps: Steps, interval: str, seconds: int) -> None:
    # The response of a single meter is not stored in the bucket.
    steps.sandbox.create_meters("api-calls")
    question = {"startTimeInSeconds": NOW - 1_000 * seconds, "endTimeInSeconds": NOW, "timeGroupingInterval": interval}
    assert len(_list(steps, **question)["api-calls"]["secondsSinceEpochIntervals"]) in {1_000, 1_001}
    question["startTimeInSeconds"] = NOW - 1_001 * seconds
    response = steps.run("list_usage", question)
    message = f"The range has 1,001 intervals ({interval}); at most 1,000"
    assert (response["statusCode"], message in response["body"]["message"]) == (400, True)


def test_all_months_since_1970_are_allowed(counted: Steps) -> None:
    assert _totals(_list(counted, startTimeInSeconds=0, timeGroupingInterval="MONTH")["storage"]) == {"": 5}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tenantId", ""),
        ("tenantId", " "),
        ("tenantId", ["t1", "t2"]),
        ("tenantId", "x" * 201),
        ("groupBy", "region"),
        ("startTimeInSeconds", ""),
        ("startTimeInSeconds", 9_999_999_999),
        ("startTimeInSeconds", 0),
        ("endTimeInSeconds", 1_700_000_000_000),
        ("timeGroupingInterval", "YEAR"),
        ("meterApiName", "api-calls"),
        ("filter.region", "eu"),
    ],
)
def test_an_invalid_query_is_a_400_that_names_the_field(counted: Steps, field: str, value: Any) -> None:
    response = counted.run("list_usage", {field: value})
    assert (response["statusCode"], field in str(response["body"])) == (400, True)
    assert counted.sandbox.requests()["total"] == 0


@pytest.mark.parametrize("body", [{}, [1], None])
def test_an_unexpected_response_is_an_error(steps: Steps, body: Any) -> None:
    steps.sandbox.set_faults([{"kind": "status", "status": 200, "path": "/usage/all", "body": json.dumps(body)}])
    with pytest.raises(AmberfloUnavailable, match="GET /usage/all is not a list of reports"):
        steps.run("list_usage", {})
