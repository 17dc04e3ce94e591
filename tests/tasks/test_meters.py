from typing import Any

import pytest

from amberflo_workflows.tasks.amberflo.errors import AmberfloUnavailable
from tests.tasks.conftest import Steps

METER = {"label": "API calls", "meterApiName": "api-calls", "meterType": "sum_of_all_usage"}


def _status_and_field(response: Any) -> tuple[int, str]:
    details = response["body"].get("details", [{"field": ""}])
    return response["statusCode"], details[0]["field"]


def test_a_meter_can_be_created_read_changed_and_deleted(steps: Steps) -> None:
    created = steps.run("create_meter", METER)
    assert created["statusCode"] == 201
    meter = created["body"]["data"]
    assert METER.items() <= meter.items()
    assert steps.run("get_meter", {"meterId": meter["id"]})["body"]["data"]["label"] == "API calls"

    change = {"meterId": meter["id"], "description": "calls", "lockingStatus": "deprecated"}
    updated = steps.run("update_meter", {"change": change, "meter": meter})
    assert updated["statusCode"] == 200
    assert updated["body"]["data"]["description"] == "calls"
    assert updated["body"]["data"]["label"] == "API calls"

    assert steps.run("delete_meter", {"meterId": meter["id"]})["statusCode"] == 200
    assert steps.run("get_meter", {"meterId": meter["id"]})["statusCode"] == 404


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({}, "label"),
        ({**METER, "label": ""}, "label"),
        ({**METER, "label": 3}, "label"),
        ({**METER, "meterType": "sum"}, "meterType"),
        ({**METER, "meterApiName": "a b"}, "meterApiName"),
        ({**METER, "meterApiName": "a\n"}, "meterApiName"),
        ({**METER, "meterApiName": "x" * 51}, "meterApiName"),
        ({**METER, "dimensions": "region"}, "dimensions"),
        ({**METER, "metertype": "x"}, "metertype"),
        ({**METER, "meterType": "active_users"}, "aggregationDimensions"),
        ([], ""),
        (None, ""),
    ],
)
def test_an_invalid_meter_is_rejected_without_a_call_to_amberflo(steps: Steps, request_: Any, field: str) -> None:
    assert _status_and_field(steps.run("create_meter", request_)) == (400, field)
    assert steps.run("list_meters", {})["body"]["data"] == []


@pytest.mark.parametrize("taken", [{"label": "other"}, {"meterApiName": "other"}])
def test_a_taken_name_or_label_is_a_conflict(steps: Steps, taken: dict[str, str]) -> None:
    steps.run("create_meter", METER)
    assert steps.run("create_meter", {**METER, **taken})["statusCode"] == 409


def test_a_retry_recognizes_the_meter_of_an_attempt_whose_response_was_lost(steps: Steps) -> None:
    steps.sandbox.set_faults([{"path": "/meters", "method": "POST", "kind": "accept_then_drop", "times": 1}])
    steps.start_time = "2026-01-01T00:00:00.000Z"
    with pytest.raises(AmberfloUnavailable):
        steps.run("create_meter", METER)
    steps.retry_count = 1
    assert steps.run("create_meter", METER)["statusCode"] == 201
    steps.start_time = ""
    assert steps.run("create_meter", METER)["statusCode"] == 409, "an older meter was not created by this execution"


def test_an_id_is_escaped_in_the_path(steps: Steps) -> None:
    steps.create_meter()
    for meter_id in ("../meters", "...a", "a/b?c=d#e", "api-calls", "%2e%2e", "é\r\nX-API-KEY: x"):
        assert steps.run("get_meter", {"meterId": meter_id})["statusCode"] == 404, meter_id


def test_an_id_in_the_body_must_be_the_one_in_the_path(steps: Steps) -> None:
    meter = steps.create_meter()
    change = {"meterId": meter["id"], "id": "another"}
    assert _status_and_field(steps.run("update_meter", {"change": change, "meter": meter})) == (400, "id")


def test_a_meter_can_be_sent_back_completely(steps: Steps) -> None:
    meter = steps.create_meter()
    change = {**meter, "meterId": meter["id"], "label": "new"}
    response = steps.run("update_meter", {"change": change, "meter": meter})
    assert (response["statusCode"], response["body"]["data"]["label"]) == (200, "new")


def test_a_lock_that_forbids_deletion_is_a_conflict(steps: Steps) -> None:
    meter = steps.create_meter()
    assert steps.run("delete_meter", {"meterId": meter["id"]})["statusCode"] == 409


def test_pages_have_every_meter_once_and_in_order(steps: Steps) -> None:
    for name in ("c", "a", "d", "b"):
        steps.create_meter(name)
    names: list[str] = []
    token = None
    for _ in range(3):
        body = steps.run("list_meters", {"limit": "2", "next_token": token})["body"]
        names += [meter["meterApiName"] for meter in body["data"]]
        token = body["next_token"]
        if token is None:
            break
    assert names == ["a", "b", "c", "d"]


def test_without_a_limit_all_meters_are_on_one_page(steps: Steps) -> None:
    for name in ("b", "a"):
        steps.create_meter(name)
    body = steps.run("list_meters", {})["body"]
    assert ([meter["meterApiName"] for meter in body["data"]], body["next_token"]) == (["a", "b"], None)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"next_token": "?"}, "next_token"),
        ({"page": "1"}, "page"),
    ],
)
def test_an_invalid_page_is_rejected(steps: Steps, request_: Any, field: str) -> None:
    assert _status_and_field(steps.run("list_meters", request_)) == (400, field)
