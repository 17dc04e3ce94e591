import time
from typing import Any

import pytest

from tests.tasks.conftest import Steps
from tests.tasks.usages import NOW, build_usage, fetch_total


def test_a_rule_cancels_usage_that_was_ingested_in_its_range(steps: Steps) -> None:
    steps.create_meter()
    steps.run("send_usages", {"usages": [build_usage()]})
    start = int(time.time()) - 5
    rule = {
        "id": "rule-1",
        "meterApiName": "api-calls",
        "ingestionTimeRange": {"startTimeInSeconds": start, "endTimeInSeconds": start + 10},
    }
    response = steps.run("cancel_usage", rule)
    assert response["statusCode"] == 200
    assert rule.items() <= response["body"]["data"].items()
    assert fetch_total(steps) == 0


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
    steps.run("send_usages", {"usages": [build_usage()]})
    assert fetch_total(steps) == 2
    response = steps.run("cancel_usage", _build_rule(end, allowFuture=True))
    assert (response["statusCode"], "allowFuture" in response["body"]["data"]) == (200, False)
    assert fetch_total(steps) == 0


def test_a_rule_that_ends_now_needs_no_permission(steps: Steps) -> None:
    steps.create_meter()
    assert steps.run("cancel_usage", _build_rule(int(time.time())))["statusCode"] == 200


@pytest.mark.parametrize("value", ["true", 1, None])
def test_the_permission_for_the_future_is_true_or_false(steps: Steps, value: Any) -> None:
    response = steps.run("cancel_usage", _build_rule(2, allowFuture=value))
    assert (response["statusCode"], response["body"]["details"][0]["field"]) == (400, "allowFuture")


def test_a_single_record_is_cancelled(steps: Steps) -> None:
    steps.create_meter()
    steps.run(
        "send_usages",
        {"usages": [build_usage(0), build_usage(1, uniqueId="u", meterTimeInMillis=NOW * 1000, region="eu")]},
    )
    record = build_usage(1, uniqueId="u", meterTimeInMillis=NOW * 1000, region="eu")["usage"]
    response = steps.run("cancel_usage", {"records": [record]})
    assert (response["statusCode"], response["body"]["data"]["cancelled"]) == (200, ["u"])
    assert fetch_total(steps) == 2


def test_a_cancellation_does_not_claim_that_its_record_was_counted(steps: Steps) -> None:
    steps.create_meter()
    steps.run("send_usages", {"usages": [build_usage()]})
    record = build_usage(0, uniqueId="never counted", meterTimeInMillis=NOW * 1000)["usage"]
    data = steps.run("cancel_usage", {"records": [record]})["body"]["data"]
    assert data["cancelled"] == ["never counted"]
    assert "does not tell whether it had these records" in data["note"]
    assert fetch_total(steps) == 2


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
