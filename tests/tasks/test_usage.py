import time
from typing import Any

import pytest

from amberflo_workflows.tasks.amberflo.errors import AmberfloBatchRejected, AmberfloThrottled, AmberfloUnavailable
from tests.tasks.conftest import Steps
from tests.tasks.usages import NOW, build_usage, fetch_total, fetch_usage


def test_usage_that_is_sent_twice_counts_once(steps: Steps) -> None:
    steps.create_meter()
    usages = [build_usage(number) for number in range(5)]
    for _ in range(2):
        sent = steps.run("send_usages", {"usages": usages})
        assert sent == {"counted": ["e0", "e1", "e2", "e3", "e4"], "rejected": [], "rejectedPlaces": []}
    assert fetch_total(steps) == 10


def test_invalid_usage_is_rejected_and_the_rest_is_counted(steps: Steps) -> None:
    steps.create_meter()
    invalid = [
        build_usage(1, meterValue="two"),
        build_usage(2, meterTimeInMillis=(NOW - 61 * 86_400) * 1000),
        build_usage(3, meterTimeInMillis=int(time.time() + 400) * 1000),
        {"eventId": "e4", "eventTime": "", "index": 4, "usage": "junk"},
    ]
    sent = steps.run("send_usages", {"usages": [build_usage(0), *invalid, build_usage(5)]})
    assert sent["counted"] == ["e0", "e5"]
    assert [(rejected["index"], rejected["reason"]) for rejected in sent["rejected"]] == [
        (1, "meterValue must be a number, not text"),
        (2, "it is more than 60 days old"),
        (3, "its time is more than 5 minutes in the future"),
        (4, "a usage must be an object, not text"),
    ]
    assert [rejected["place"] for rejected in sent["rejected"]] == [1, 2, 3, 4]
    assert len({rejected["id"] for rejected in sent["rejected"]}) == 4
    assert fetch_total(steps) == 4


def test_a_hundred_usages_are_sent_per_request(steps: Steps) -> None:
    steps.create_meter()
    usages = [build_usage(number) for number in range(250)]
    steps.sandbox.clear_requests()
    sent = steps.run("send_usages", {"usages": usages})
    assert sent == {"counted": [f"e{number}" for number in range(250)], "rejected": [], "rejectedPlaces": []}
    assert (steps.sandbox.count_calls("/ingest"), fetch_total(steps)) == (3, 500)


@pytest.mark.parametrize(
    ("status", "error"), [(404, AmberfloUnavailable), (429, AmberfloThrottled), (503, AmberfloUnavailable)]
)
def test_a_failed_request_fails_the_step_and_a_retry_counts_once(
    steps: Steps, status: int, error: type[Exception]
) -> None:
    steps.create_meter()
    usages = [build_usage(number) for number in range(250)]
    steps.sandbox.set_faults([{"path": "/ingest*", "kind": "status", "status": status, "times": 1, "skip": 1}])
    with pytest.raises(error):
        steps.run("send_usages", {"usages": usages})
    steps.run("send_usages", {"usages": usages})
    assert fetch_total(steps) == 500


def test_a_rejected_batch_is_an_error_and_a_rejected_record_an_outcome(steps: Steps) -> None:
    steps.create_meter()
    fault = {"path": "/ingest*", "kind": "status", "status": 400, "body": '{"errorMessage": "Invalid request"}'}
    steps.sandbox.set_faults([fault])
    with pytest.raises(AmberfloBatchRejected, match="2 records"):
        steps.run("send_usages", {"usages": [build_usage(0), build_usage(1)]})
    sent = steps.run("send_usages", {"usages": [build_usage(0)]})
    assert sent["counted"] == []
    assert sent["rejected"][0]["reason"] == "Amberflo rejected it: Invalid request"


@pytest.mark.parametrize("request_", [{}, {"usages": []}, {"usages": [{}]}, {"usages": [build_usage()] * 301}, None])
def test_an_invalid_chunk_is_a_400(steps: Steps, request_: Any) -> None:
    assert steps.run("send_usages", request_)["statusCode"] == 400


def test_filters_groups_and_ranges_are_passed_to_amberflo(steps: Steps) -> None:
    steps.create_meter(dimensions=["region"])
    usages = [
        build_usage(0, region="eu"),
        build_usage(1, region="us", meterValue=5),
        build_usage(2, region="us", tenantId="t2", meterValue=7),
    ]
    steps.run("send_usages", {"usages": usages})
    assert fetch_total(steps) == 14
    assert fetch_total(steps, tenantId="t1") == 7
    assert fetch_total(steps, tenantId="t1", **{"filter.region": "us"}) == 5
    assert fetch_total(steps, **{"filter.region": ["eu", "us"], "filter.customerId": "t2"}) == 7
    groups = fetch_usage(steps, groupBy="customerId,region", timeGroupingInterval="hour")["body"]["data"][
        "clientMeters"
    ]
    assert [group["groupValue"] for group in groups] == [7, 5, 2]
    assert fetch_total(steps, groupBy="customerId", take="1") == 7
    assert fetch_total(steps, aggregation="max") == 7
    assert fetch_total(steps, startTimeInSeconds=str(NOW - 3600), endTimeInSeconds=str(NOW + 9999)) == 14
    assert fetch_total(steps, startTimeInSeconds=NOW - 10 * 86_400, endTimeInSeconds=NOW - 5 * 86_400) == 0


@pytest.mark.parametrize(
    ("question", "field"),
    [
        ({"startTimeInSeconds": "yesterday"}, "startTimeInSeconds"),
        ({"startTimeInSeconds": "1.5"}, "startTimeInSeconds"),
        ({"startTimeInSeconds": str(NOW * 1000)}, "startTimeInSeconds"),
        ({"startTimeInSeconds": str(NOW), "endTimeInSeconds": str(NOW - 1)}, "startTimeInSeconds"),
        ({"timeGroupingInterval": "YEAR"}, "timeGroupingInterval"),
        ({"aggregation": "AVG"}, "aggregation"),
        ({"take": "0"}, "take"),
        ({"filter.": "x"}, "filter"),
        ({"filter.region": 5}, "filter.region"),
        ({"filter.region": ["eu", 5]}, "filter.region"),
        ({"tenantId": {"a": "b"}}, "tenantId"),
        ({"tenantId": "a", "filter.customerId": "b"}, "tenantId"),
        ({"startTimeInSeconds": ""}, "startTimeInSeconds"),
        ({"endTimeInSeconds": ""}, "endTimeInSeconds"),
        ({"take": ""}, "take"),
        ({"endTimeInSecond": "1"}, "endTimeInSecond"),
    ],
)
def test_an_invalid_question_is_rejected_without_a_call_to_amberflo(steps: Steps, question: Any, field: str) -> None:
    steps.sandbox.clear_requests()
    response = fetch_usage(steps, **question)
    assert (response["statusCode"], response["body"]["details"][0]["field"]) == (400, field)
    assert steps.sandbox.requests()["total"] == 0


def test_a_comma_is_part_of_a_filters_value(steps: Steps) -> None:
    steps.create_meter(dimensions=["region"])
    usages = [
        build_usage(number, tenantId=tenant, region=region, meterValue=10**number)
        for number, (tenant, region) in enumerate([("Acme", "eu"), ("Inc.", "us"), ("Acme, Inc.", "eu,us")])
    ]
    steps.run("send_usages", {"usages": usages})
    for name, values in (("tenantId", ["Acme", "Inc.", "Acme, Inc."]), ("filter.region", ["eu", "us", "eu,us"])):
        assert [fetch_total(steps, **{name: value}) for value in values] == [1, 10, 100]
        assert [fetch_total(steps, **{name: [value]}) for value in values] == [1, 10, 100]
        assert fetch_total(steps, **{name: values[1:]}) == 110
        # Neither is the name of a tenant or region.
        assert fetch_total(steps, **{name: f" {values[0]}"}) == 0
        assert fetch_total(steps, **{name: f"{values[0]},"}) == 0


@pytest.mark.parametrize("name", ["tenantId", "filter.customerId", "filter.region"])
@pytest.mark.parametrize("value", ["", " \t", [], [""], ["t1", " "], None])
def test_an_empty_filter_is_rejected(steps: Steps, name: str, value: Any) -> None:
    steps.create_meter(dimensions=["region"])
    steps.run("send_usages", {"usages": [build_usage()]})
    response = fetch_usage(steps, **{name: value})
    assert (response["statusCode"], response["body"]["details"][0]["field"]) == (400, name)


def test_a_name_must_be_that_of_the_meter_with_the_id(steps: Steps) -> None:
    meter, other = steps.create_meter(), steps.create_meter("other")
    assert fetch_usage(steps, meterId=meter["id"], meterApiName="api-calls")["statusCode"] == 200
    response = fetch_usage(steps, meterId=other["id"], meterApiName="api-calls")
    assert (response["statusCode"], response["body"]["details"][0]["field"]) == (400, "meterApiName")
    response = fetch_usage(steps, meterId="unknown", meterApiName="api-calls")
    assert (response["statusCode"], "'unknown' was not found" in response["body"]["message"]) == (404, True)
    assert fetch_usage(steps, meterId="..", meterApiName="api-calls")["statusCode"] == 400


def test_the_name_of_a_meter_is_looked_up_once(steps: Steps) -> None:
    meter = steps.create_meter()
    steps.sandbox.clear_requests()
    for calls in (2, 3, 4):
        assert fetch_usage(steps, meterId=meter["id"], meterApiName="api-calls")["statusCode"] == 200
        assert steps.sandbox.requests()["total"] == calls


def test_a_renamed_meter_is_known_by_its_new_name_at_once(steps: Steps) -> None:
    meter = steps.create_meter()
    assert fetch_usage(steps, meterId=meter["id"], meterApiName="api-calls")["statusCode"] == 200
    change = {"meterId": meter["id"], "meterApiName": "renamed"}
    steps.run("update_meter", {"change": change, "meter": meter})
    question = {"meterId": meter["id"], "meterApiName": "renamed"}
    assert steps.run("fetch_usage", {"question": question, "meterApiName": "renamed"})["statusCode"] == 200
