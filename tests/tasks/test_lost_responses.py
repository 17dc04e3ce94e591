"""A change that an earlier attempt of the same execution made, and whose response was lost, is a success."""

from typing import Any

import pytest

from amberflo_workflows.tasks.amberflo.errors import AmberfloUnavailable
from tests.tasks.conftest import Steps

METER = {"label": "API calls", "meterApiName": "api-calls", "meterType": "sum_of_all_usage"}
NOT_FOUND = {"kind": "status", "status": 404, "path": "/meters/*", "method": "DELETE"}
LOST_UPDATE = {"kind": "accept_then_drop", "path": "/meters", "method": "PUT", "times": 1}
# A retry, or the first attempt with a key that was read again.
REPEATED: list[dict[str, Any]] = [{"retry_count": 1}, {"key_refreshed": True}]


def _set(steps: Steps, attempt: dict[str, Any]) -> None:
    for name, value in attempt.items():
        setattr(steps, name, value)


@pytest.mark.parametrize("attempt", REPEATED)
def test_a_meter_that_an_earlier_attempt_deleted(steps: Steps, attempt: dict[str, Any]) -> None:
    meter = steps.create_meter(lockingStatus="deprecated")
    steps.sandbox.set_faults([{**NOT_FOUND, "kind": "accept_then_drop", "times": 1}, NOT_FOUND])
    with pytest.raises(AmberfloUnavailable):
        steps.run("delete_meter", {"meterId": meter["id"]})
    _set(steps, attempt)
    response = steps.run("delete_meter", {"meterId": meter["id"]})
    assert response == {"statusCode": 200, "body": {"data": {"id": meter["id"]}}}


def test_a_meter_that_another_caller_deleted_is_a_404(steps: Steps) -> None:
    steps.sandbox.set_faults([NOT_FOUND])
    assert steps.run("delete_meter", {"meterId": "unknown"})["statusCode"] == 404


@pytest.mark.parametrize("attempt", REPEATED)
def test_a_meter_that_an_earlier_attempt_locked(steps: Steps, attempt: dict[str, Any]) -> None:
    meter = steps.create_meter()
    change = {"meterId": meter["id"], "lockingStatus": "close_to_changes", "meterApiName": "renamed"}
    steps.sandbox.set_faults([LOST_UPDATE, {"kind": "status", "status": 400, "path": "/meters", "method": "PUT"}])
    with pytest.raises(AmberfloUnavailable):
        steps.run("update_meter", {"change": change, "meter": meter})
    assert steps.run("update_meter", {"change": change, "meter": meter})["statusCode"] == 400
    _set(steps, attempt)
    response = steps.run("update_meter", {"change": change, "meter": meter})
    assert (response["statusCode"], response["body"]["data"]["lockingStatus"]) == (200, "close_to_changes")


def test_a_change_that_amberflo_rejected_each_time_stays_rejected(steps: Steps) -> None:
    meter = steps.create_meter(lockingStatus="close_to_changes")
    steps.retry_count = 1
    change = {"meterId": meter["id"], "meterApiName": "renamed"}
    assert steps.run("update_meter", {"change": change, "meter": meter})["statusCode"] == 409


@pytest.mark.parametrize("attempt", REPEATED)
def test_a_meter_that_an_earlier_attempt_created(steps: Steps, attempt: dict[str, Any]) -> None:
    steps.sandbox.set_faults([{**LOST_UPDATE, "method": "POST"}])
    steps.start_time = "2026-01-01T00:00:00.000Z"
    with pytest.raises(AmberfloUnavailable):
        steps.run("create_meter", METER)
    assert steps.run("create_meter", METER)["statusCode"] == 409
    _set(steps, attempt)
    assert steps.run("create_meter", METER)["statusCode"] == 201


@pytest.mark.parametrize(("method", "path"), [("POST", "/customers"), ("PUT", "/customers/stage")])
@pytest.mark.parametrize("attempt", REPEATED)
def test_a_customer_that_an_earlier_attempt_offboarded(
    steps: Steps, attempt: dict[str, Any], method: str, path: str
) -> None:
    event = {"id": "e1", "detail-type": "offboardingRequest", "detail": {"tenantId": "acme"}}
    if method == "PUT":
        steps.run("create_customer", {**event, "detail-type": "onboardingRequest"})
    lost = {"kind": "accept_then_drop", "path": path, "method": method, "times": 1}
    steps.sandbox.set_faults([lost])
    with pytest.raises(AmberfloUnavailable):
        steps.run("delete_customer", event)
    _set(steps, attempt)
    response = steps.run("delete_customer", event)
    assert (response["statusCode"], response["body"]["data"]["lifecycleStage"]) == (200, "OFFBOARDED")
