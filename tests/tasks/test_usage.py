import time
from typing import Any

import pytest

from amberflo_workflows.tasks.amberflo.errors import AmberfloBatchRejected, AmberfloThrottled, AmberfloUnavailable
from tests.tasks.conftest import Steps

NOW = int(time.time())


def _usage(number: int = 0, **fields: Any) -> dict[str, Any]:
    usage = {"tenantId": "t1", "meterApiName": "api-calls", "meterValue": 2, **fields}
    time_ = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW - 60))
    return {"eventId": f"e{number}", "eventTime": time_, "index": number, "usage": usage}


def _fetch(steps: Steps, **question: Any) -> Any:
    return steps.run("fetch_usage", {"question": {"meterId": "m", **question}, "meterApiName": "api-calls"})


def _total(steps: Steps, **question: Any) -> float:
    response = _fetch(steps, **question)
    assert response["statusCode"] == 200, response
    values: list[float] = [group["groupValue"] for group in response["body"]["data"]["clientMeters"]]
    return sum(values)


def test_usage_that_is_sent_twice_counts_once(steps: Steps) -> None:
    steps.create_meter()
    usages = [_usage(number) for number in range(5)]
    for _ in range(2):
        sent = steps.run("send_usages", {"usages": usages})
        assert sent == {"counted": ["e0", "e1", "e2", "e3", "e4"], "rejected": []}
    assert _total(steps) == 10


def test_invalid_usage_is_rejected_and_the_rest_is_counted(steps: Steps) -> None:
    steps.create_meter()
    invalid = [
        _usage(1, meterValue="two"),
        _usage(2, meterTimeInMillis=(NOW - 61 * 86_400) * 1000),
        _usage(3, meterTimeInMillis=int(time.time() + 400) * 1000),
        {"eventId": "e4", "eventTime": "", "index": 4, "usage": "junk"},
    ]
    sent = steps.run("send_usages", {"usages": [_usage(0), *invalid, _usage(5)]})
    assert sent["counted"] == ["e0", "e5"]
    assert [(rejected["index"], rejected["reason"]) for rejected in sent["rejected"]] == [
        (1, "meterValue must be a number, not text"),
        (2, "it is more than 60 days old"),
        (3, "its time is more than 5 minutes in the future"),
        (4, "a usage must be an object, not text"),
    ]
    assert [rejected["place"] for rejected in sent["rejected"]] == [1, 2, 3, 4]
    assert len({rejected["id"] for rejected in sent["rejected"]}) == 4
    assert _total(steps) == 4


def test_a_hundred_usages_are_sent_per_request(steps: Steps) -> None:
    steps.create_meter()
    usages = [_usage(number) for number in range(250)]
    steps.sandbox.clear_requests()
    sent = steps.run("send_usages", {"usages": usages})
    assert sent == {"counted": [f"e{number}" for number in range(250)], "rejected": []}
    assert (steps.sandbox.count_calls("/ingest"), _total(steps)) == (3, 500)


@pytest.mark.parametrize(
    ("status", "error"), [(404, AmberfloUnavailable), (429, AmberfloThrottled), (503, AmberfloUnavailable)]
)
def test_a_failed_request_fails_the_step_and_a_retry_counts_once(
    steps: Steps, status: int, error: type[Exception]
) -> None:
    steps.create_meter()
    usages = [_usage(number) for number in range(250)]
    steps.sandbox.set_faults([{"path": "/ingest*", "kind": "status", "status": status, "times": 1, "skip": 1}])
    with pytest.raises(error):
        steps.run("send_usages", {"usages": usages})
    steps.run("send_usages", {"usages": usages})
    assert _total(steps) == 500


def test_a_rejected_batch_is_an_error_and_a_rejected_record_an_outcome(steps: Steps) -> None:
    steps.create_meter()
    fault = {"path": "/ingest*", "kind": "status", "status": 400, "body": '{"errorMessage": "Invalid request"}'}
    steps.sandbox.set_faults([fault])
    with pytest.raises(AmberfloBatchRejected, match="2 records"):
        steps.run("send_usages", {"usages": [_usage(0), _usage(1)]})
    sent = steps.run("send_usages", {"usages": [_usage(0)]})
    assert sent["counted"] == []
    assert sent["rejected"][0]["reason"] == "Amberflo rejected it: Invalid request"


@pytest.mark.parametrize("request_", [{}, {"usages": []}, {"usages": [{}]}, {"usages": [_usage()] * 301}, None])
def test_an_invalid_chunk_is_a_400(steps: Steps, request_: Any) -> None:
    assert steps.run("send_usages", request_)["statusCode"] == 400


def test_filters_groups_and_ranges_are_passed_to_amberflo(steps: Steps) -> None:
    steps.create_meter(dimensions=["region"])
    usages = [
        _usage(0, region="eu"),
        _usage(1, region="us", meterValue=5),
        _usage(2, region="us", tenantId="t2", meterValue=7),
    ]
    steps.run("send_usages", {"usages": usages})
    assert _total(steps) == 14
    assert _total(steps, tenantId="t1") == 7
    assert _total(steps, tenantId="t1", **{"filter.region": "us"}) == 5
    assert _total(steps, **{"filter.region": ["eu", "us"], "filter.customerId": "t2"}) == 7
    groups = _fetch(steps, groupBy="customerId,region", timeGroupingInterval="hour")["body"]["data"]["clientMeters"]
    assert [group["groupValue"] for group in groups] == [7, 5, 2]
    assert _total(steps, groupBy="customerId", take="1") == 7
    assert _total(steps, aggregation="max") == 7
    assert _total(steps, startTimeInSeconds=str(NOW - 3600), endTimeInSeconds=str(NOW + 9999)) == 14
    assert _total(steps, startTimeInSeconds=NOW - 10 * 86_400, endTimeInSeconds=NOW - 5 * 86_400) == 0


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
    response = _fetch(steps, **question)
    assert (response["statusCode"], response["body"]["details"][0]["field"]) == (400, field)
    assert steps.sandbox.requests()["total"] == 0


def test_a_comma_is_part_of_a_filters_value(steps: Steps) -> None:
    steps.create_meter(dimensions=["region"])
    usages = [
        _usage(number, tenantId=tenant, region=region, meterValue=10**number)
        for number, (tenant, region) in enumerate([("Acme", "eu"), ("Inc.", "us"), ("Acme, Inc.", "eu,us")])
    ]
    steps.run("send_usages", {"usages": usages})
    for name, values in (("tenantId", ["Acme", "Inc.", "Acme, Inc."]), ("filter.region", ["eu", "us", "eu,us"])):
        assert [_total(steps, **{name: value}) for value in values] == [1, 10, 100]
        assert [_total(steps, **{name: [value]}) for value in values] == [1, 10, 100]
        assert _total(steps, **{name: values[1:]}) == 110
        # Neither is the name of a tenant or region.
        assert _total(steps, **{name: f" {values[0]}"}) == 0
        assert _total(steps, **{name: f"{values[0]},"}) == 0


@pytest.mark.parametrize("name", ["tenantId", "filter.customerId", "filter.region"])
@pytest.mark.parametrize("value", ["", " \t", [], [""], ["t1", " "], None])
def test_an_empty_filter_is_rejected(steps: Steps, name: str, value: Any) -> None:
    steps.create_meter(dimensions=["region"])
    steps.run("send_usages", {"usages": [_usage()]})
    response = _fetch(steps, **{name: value})
    assert (response["statusCode"], response["body"]["details"][0]["field"]) == (400, name)


def test_a_rule_cancels_usage_that_was_ingested_in_its_range(steps: Steps) -> None:
    steps.create_meter()
    steps.run("send_usages", {"usages": [_usage()]})
    start = int(time.time()) - 5
    rule = {
        "id": "rule-1",
        "meterApiName": "api-calls",
        "ingestionTimeRange": {"startTimeInSeconds": start, "endTimeInSeconds": start + 10},
    }
    response = steps.run("cancel_usage", rule)
    assert response["statusCode"] == 200
    assert rule.items() <= response["body"]["data"].items()
    assert _total(steps) == 0


def _build_rule(end: int, **members: Any) -> dict[str, Any]:
    return {
        "id": "rule-1",
        "meterApiName": "api-calls",
        "ingestionTimeRange": {"startTimeInSeconds": 1, "endTimeInSeconds": end},
        **members,
    }


@pytest.mark.parametrize("name", ["api-cals", "API-calls", "api"])
def test_a_rule_for_an_unknown_meter_is_a_404(steps: Steps, name: str) -> None:
    steps.create_meter()
    response = steps.run("cancel_usage", _build_rule(2, meterApiName=name))
    assert (response["statusCode"], response["body"]["message"]) == (
        404,
        f"There is no meter with the meterApiName '{name}'.",
    )
    assert steps.run("cancel_usage", _build_rule(2))["statusCode"] == 200


def test_a_rule_that_ends_in_the_future_must_say_so(steps: Steps) -> None:
    steps.create_meter()
    end = int(time.time()) + 60
    for members in ({}, {"allowFuture": False}):
        response = steps.run("cancel_usage", _build_rule(end, **members))
        assert (response["statusCode"], response["body"]["details"][0]["field"]) == (
            400,
            "ingestionTimeRange.endTimeInSeconds",
        )
        assert "allowFuture" in response["body"]["message"]
    steps.run("send_usages", {"usages": [_usage()]})
    assert _total(steps) == 2
    response = steps.run("cancel_usage", _build_rule(end, allowFuture=True))
    assert (response["statusCode"], "allowFuture" in response["body"]["data"]) == (200, False)
    assert _total(steps) == 0


def test_a_rule_that_ends_now_needs_no_permission(steps: Steps) -> None:
    steps.create_meter()
    assert steps.run("cancel_usage", _build_rule(int(time.time())))["statusCode"] == 200


@pytest.mark.parametrize("value", ["true", 1, None])
def test_the_permission_for_the_future_is_true_or_false(steps: Steps, value: Any) -> None:
    response = steps.run("cancel_usage", _build_rule(2, allowFuture=value))
    assert (response["statusCode"], response["body"]["details"][0]["field"]) == (400, "allowFuture")


def test_a_name_must_be_that_of_the_meter_with_the_id(steps: Steps) -> None:
    meter, other = steps.create_meter(), steps.create_meter("other")
    assert _fetch(steps, meterId=meter["id"], meterApiName="api-calls")["statusCode"] == 200
    response = _fetch(steps, meterId=other["id"], meterApiName="api-calls")
    assert (response["statusCode"], response["body"]["details"][0]["field"]) == (400, "meterApiName")
    response = _fetch(steps, meterId="unknown", meterApiName="api-calls")
    assert (response["statusCode"], "'unknown' was not found" in response["body"]["message"]) == (404, True)
    assert _fetch(steps, meterId="..", meterApiName="api-calls")["statusCode"] == 400


def test_the_name_of_a_meter_is_looked_up_once(steps: Steps) -> None:
    meter = steps.create_meter()
    steps.sandbox.clear_requests()
    for calls in (2, 3, 4):
        assert _fetch(steps, meterId=meter["id"], meterApiName="api-calls")["statusCode"] == 200
        assert steps.sandbox.requests()["total"] == calls


def test_a_renamed_meter_is_known_by_its_new_name_at_once(steps: Steps) -> None:
    meter = steps.create_meter()
    assert _fetch(steps, meterId=meter["id"], meterApiName="api-calls")["statusCode"] == 200
    change = {"meterId": meter["id"], "meterApiName": "renamed"}
    steps.run("update_meter", {"change": change, "meter": meter})
    question = {"meterId": meter["id"], "meterApiName": "renamed"}
    assert steps.run("fetch_usage", {"question": question, "meterApiName": "renamed"})["statusCode"] == 200


def test_a_single_record_is_cancelled(steps: Steps) -> None:
    steps.create_meter()
    steps.run(
        "send_usages", {"usages": [_usage(0), _usage(1, uniqueId="u", meterTimeInMillis=NOW * 1000, region="eu")]}
    )
    record = _usage(1, uniqueId="u", meterTimeInMillis=NOW * 1000, region="eu")["usage"]
    response = steps.run("cancel_usage", {"records": [record]})
    assert (response["statusCode"], response["body"]["data"]["cancelled"]) == (200, ["u"])
    assert _total(steps) == 2


def test_a_cancellation_does_not_claim_that_its_record_was_counted(steps: Steps) -> None:
    steps.create_meter()
    steps.run("send_usages", {"usages": [_usage()]})
    record = _usage(0, uniqueId="never counted", meterTimeInMillis=NOW * 1000)["usage"]
    data = steps.run("cancel_usage", {"records": [record]})["body"]["data"]
    assert data["cancelled"] == ["never counted"]
    assert "does not tell whether it had these records" in data["note"]
    assert _total(steps) == 2


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"meterApiName": "m", "ingestionTimeRange": {"startTimeInSeconds": 1, "endTimeInSeconds": 2}}, "id"),
        (
            {"id": "r", "meterApiName": "m", "ingestionTimeRange": {"startTimeInSeconds": 1}},
            "ingestionTimeRange.endTimeInSeconds",
        ),
        (
            {"id": "r", "meterApiName": "m", "ingestionTimeRange": {"startTimeInSeconds": 2, "endTimeInSeconds": 2}},
            "ingestionTimeRange.startTimeInSeconds",
        ),
        ({"records": []}, "records"),
        ({"records": [{"tenantId": "t"}]}, "records[0].uniqueId"),
        ({"records": [{"uniqueId": "u", "meterTimeInMillis": 1, "meterApiName": "m", "meterValue": 1}]}, "records[0]"),
    ],
)
def test_an_invalid_cancellation_is_rejected(steps: Steps, request_: Any, field: str) -> None:
    response = steps.run("cancel_usage", request_)
    assert (response["statusCode"], response["body"]["details"][0]["field"]) == (400, field)
