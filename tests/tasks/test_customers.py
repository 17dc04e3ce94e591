from itertools import permutations
from typing import Any

import pytest
import requests

from amberflo_workflows.core.tenant import InvalidTenantEvent, Tenant, parse_tenant
from amberflo_workflows.tasks.amberflo.errors import AmberfloUnavailable
from tests.tasks.conftest import Steps

TENANT = {"tenantId": "t-1", "tenantName": "Acme", "email": "a@acme.example", "tier": "gold"}
# Details of SBT 0.5.25 and of its main branch.
DETAILS = [
    TENANT,
    {
        "tenantRegistrationId": "r-1",
        "tenantRegistrationData": {"registrationStatus": "In progress"},
        "tenantData": TENANT,
    },
    {"tenantRegistrationData": {"tenantRegistrationId": "r-1", "tenantId": "t-1"}, "tenantData": TENANT},
    {"tenant": {"record": TENANT}},
]


def _event(detail: Any) -> dict[str, Any]:
    return {"id": "event-1", "detail-type": "onboardingRequest", "source": "sbt", "detail": detail}


def _onboard(steps: Steps, **tenant: Any) -> Any:
    return steps.run("create_customer", _event({**TENANT, **tenant}))["body"]["data"]


def _offboard(steps: Steps, **tenant: Any) -> Any:
    return steps.run("delete_customer", _event({"tenantId": "t-1", **tenant}))["body"]["data"]


@pytest.mark.parametrize("detail", DETAILS)
def test_a_tenant_is_read_from_any_object_in_the_detail(detail: Any) -> None:
    assert parse_tenant(_event(detail)) == Tenant("t-1", "Acme", "a@acme.example", "gold")


def test_the_name_of_a_tenant_defaults_to_its_id() -> None:
    assert parse_tenant(_event({"tenantId": "t-1"})) == Tenant("t-1", "t-1", "", "")


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({}, "no detail that is an object"),
        (None, "no detail that is an object"),
        (_event("text"), "no detail that is an object"),
        (_event({}), "no tenantId"),
        (_event({"tenantId": 5}), "no tenantId"),
        (_event({"tenantId": " "}), "no tenantId"),
        (_event({"tenantId": "a", "tenantData": {"tenantId": "b"}}), "names 2 tenants"),
        (_event({"tenantId": "x" * 201}), "201 characters"),
        (_event({"a": {"b": {"c": {"d": {"tenantId": "t"}}}}}), "no tenantId"),
    ],
)
def test_an_event_that_names_no_tenant_is_rejected(steps: Steps, event: Any, reason: str) -> None:
    with pytest.raises(InvalidTenantEvent, match=reason):
        parse_tenant(event)
    for task in ("create_customer", "delete_customer"):
        response = steps.run(task, event)
        assert (response["statusCode"], reason in response["body"]["message"]) == (400, True)
        assert response["rejected"]["id"] == ("event-event-1" if event else "event-run-1")
        assert reason in response["rejected"]["reason"]


def test_a_customer_is_created_once_per_tenant(steps: Steps) -> None:
    first = _onboard(steps)
    assert (first["customerId"], first["customerName"], first["customerEmail"]) == ("t-1", "Acme", "a@acme.example")
    assert first["traits"] == {"tier": "gold"}
    steps.sandbox.clear_requests()
    assert _onboard(steps) == first
    assert [count["method"] for count in steps.sandbox.requests()["counts"]] == ["GET"]


def test_fields_of_a_customer_stay_and_missing_ones_are_added(steps: Steps) -> None:
    _put_customer(
        steps, {"customerId": "t-1", "customerName": "Acme Corp", "traits": {"stripeId": "s", "tier": "silver"}}
    )
    completed = _onboard(steps)
    assert (completed["customerName"], completed["customerEmail"]) == ("Acme Corp", "a@acme.example")
    assert completed["traits"] == {"stripeId": "s", "tier": "silver"}


def test_offboarding_changes_the_stage_and_deletes_nothing(steps: Steps) -> None:
    _onboard(steps)
    customer = _offboard(steps)
    stage, traits, delete_time = (customer.get(name) for name in ("lifecycleStage", "traits", "deleteTime"))
    assert (stage, traits, delete_time) == ("OFFBOARDED", {"tier": "gold"}, None)
    steps.sandbox.clear_requests()
    assert _offboard(steps) == customer
    assert [count["method"] for count in steps.sandbox.requests()["counts"]] == ["GET"]


def test_a_late_onboarding_event_does_not_undo_the_offboarding(steps: Steps) -> None:
    assert _offboard(steps)["lifecycleStage"] == "OFFBOARDED"
    customer = _onboard(steps)
    assert (customer["lifecycleStage"], customer["customerName"], customer["traits"]) == (
        "OFFBOARDED",
        "Acme",
        {"tier": "gold"},
    )


TIMES = [f"2026-11-{day:02}T10:00:00Z" for day in range(1, 7)]


def _send(steps: Steps, task: str, time: str) -> Any:
    event = {**_event(TENANT), "time": time}
    return steps.run(f"{task}_customer", event)["body"]["data"]["lifecycleStage"]


def test_a_tenant_is_onboarded_again_after_its_offboarding(steps: Steps) -> None:
    stages = [_send(steps, task, time) for task, time in zip(["create", "delete"] * 3, TIMES, strict=True)]
    assert stages == ["ONBOARDING", "OFFBOARDED"] * 3
    assert steps.sandbox.customers()["t-1"]["traits"]["tier"] == "gold"


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize(("first", "stage"), [("create", "ONBOARDING"), ("delete", "OFFBOARDED")])
def test_the_latest_event_decides_in_any_order_of_deliveries(
    steps: Steps, *, order: tuple[int, ...], first: str, stage: str
) -> None:
    second = "delete" if first == "create" else "create"
    events = [(first, TIMES[0]), (second, TIMES[1]), (first, TIMES[2])]
    for number in (*order, *reversed(order), order[0]):
        _send(steps, *events[number])
    assert steps.sandbox.customers()["t-1"]["lifecycleStage"] == stage


def test_of_two_events_in_the_same_second_the_offboarding_decides(steps: Steps) -> None:
    for task in ("create", "delete", "create"):
        stage = _send(steps, task, TIMES[0])
    assert stage == "OFFBOARDED"


def test_a_tenant_offboarded_by_an_earlier_version_is_onboarded_again(steps: Steps) -> None:
    _put_customer(steps, {"customerId": "t-1", "customerName": "Acme", "lifecycleStage": "OFFBOARDED"})
    assert _send(steps, "create", TIMES[0]) == "OFFBOARDED"
    assert _send(steps, "create", "2199-01-01T00:00:00Z") == "ONBOARDING"


def test_two_events_at_the_same_time_create_one_customer(steps: Steps) -> None:
    # The other event creates the customer between our first read, which does not return it, and our creation, which
    # Amberflo rejects.
    _put_customer(steps, {"customerId": "t-1", "customerName": "Acme"})
    steps.sandbox.set_faults([{"kind": "garbage", "body": "{}", "method": "GET", "path": "/customers/", "times": 1}])
    assert _onboard(steps)["traits"] == {"tier": "gold"}


def test_a_rejection_by_amberflo_is_an_outcome_and_an_outage_is_raised(steps: Steps) -> None:
    fault = {"kind": "status", "status": 400, "method": "POST", "body": '{"errorMessage": "no such plan"}'}
    steps.sandbox.set_faults([fault])
    response = steps.run("create_customer", _event(TENANT))
    assert response["rejected"]["reason"] == "Amberflo rejected it: no such plan"
    steps.sandbox.set_faults([{"kind": "status", "status": 503}])
    with pytest.raises(AmberfloUnavailable):
        steps.run("create_customer", _event(TENANT))


def _put_customer(steps: Steps, customer: dict[str, Any]) -> None:
    response = requests.put(f"{steps.sandbox.url}/customers", json=customer, headers={"X-API-KEY": "key-1"}, timeout=10)
    assert response.ok
