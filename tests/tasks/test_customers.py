from typing import Any

import pytest

from amberflo_workflows.core.tenant import InvalidTenantEvent, Tenant, parse_tenant
from amberflo_workflows.tasks.amberflo.errors import AmberfloUnavailable
from tests.tasks.conftest import Steps

TENANT = {"tenantId": "t-1", "tenantName": "Acme", "email": "a@acme.example", "tier": "gold"}
# As SBT 0.5.25 and its main put a tenant into a detail.
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
def test_a_tenant_is_read_from_wherever_it_stands(detail: Any) -> None:
    assert parse_tenant(_event(detail)) == Tenant("t-1", "Acme", "a@acme.example", "gold")


def test_a_tenant_of_whom_nothing_is_told_is_named_by_its_id() -> None:
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
def test_an_event_that_names_no_tenant_is_refused_and_to_be_kept(steps: Steps, event: Any, reason: str) -> None:
    with pytest.raises(InvalidTenantEvent, match=reason):
        parse_tenant(event)
    for task in ("create_customer", "delete_customer"):
        answer = steps.run(task, event)
        assert (answer["statusCode"], reason in answer["body"]["message"]) == (400, True)
        assert answer["rejected"]["id"] == ("event-event-1" if event else "event-run-1")
        assert reason in answer["rejected"]["reason"]


def test_a_tenant_becomes_a_customer_once_however_often_the_event_comes(steps: Steps) -> None:
    first = _onboard(steps)
    assert (first["customerId"], first["customerName"], first["customerEmail"]) == ("t-1", "Acme", "a@acme.example")
    assert first["traits"] == {"tier": "gold"}
    steps.sandbox.clear_requests()
    assert _onboard(steps) == first
    assert [count["method"] for count in steps.sandbox.requests()["counts"]] == ["GET"]


def test_what_a_customer_has_is_kept_and_what_it_lacks_is_added(steps: Steps) -> None:
    client = _customer_of(steps)
    client.put({"customerId": "t-1", "customerName": "Acme Corp", "traits": {"stripeId": "s", "tier": "silver"}})
    completed = _onboard(steps)
    assert (completed["customerName"], completed["customerEmail"]) == ("Acme Corp", "a@acme.example")
    assert completed["traits"] == {"stripeId": "s", "tier": "silver"}


def test_offboarding_moves_the_stage_and_deletes_nothing(steps: Steps) -> None:
    _onboard(steps)
    gone = _offboard(steps)
    assert (gone["lifecycleStage"], gone["traits"], gone.get("deleteTime")) == ("OFFBOARDED", {"tier": "gold"}, None)
    steps.sandbox.clear_requests()
    assert _offboard(steps) == gone
    assert [count["method"] for count in steps.sandbox.requests()["counts"]] == ["GET"]


def test_an_onboarding_event_that_comes_late_or_again_does_not_bring_a_tenant_back(steps: Steps) -> None:
    assert _offboard(steps)["lifecycleStage"] == "OFFBOARDED"
    late = _onboard(steps)
    assert (late["lifecycleStage"], late["customerName"], late["traits"]) == ("OFFBOARDED", "Acme", {"tier": "gold"})


def test_two_events_at_the_same_moment_make_one_customer(steps: Steps) -> None:
    # The other one's is there by the time ours arrives: the first look finds nothing, the creation is refused.
    _customer_of(steps).put({"customerId": "t-1", "customerName": "Acme"})
    steps.sandbox.set_faults([{"kind": "garbage", "body": "{}", "method": "GET", "path": "/customers/", "times": 1}])
    assert _onboard(steps)["traits"] == {"tier": "gold"}


def test_a_refusal_by_amberflo_is_kept_and_a_failure_is_raised(steps: Steps) -> None:
    refusal = {"kind": "status", "status": 400, "method": "POST", "body": '{"errorMessage": "no such plan"}'}
    steps.sandbox.set_faults([refusal])
    answer = steps.run("create_customer", _event(TENANT))
    assert answer["rejected"]["reason"] == "Amberflo rejected it: no such plan"
    steps.sandbox.set_faults([{"kind": "status", "status": 503}])
    with pytest.raises(AmberfloUnavailable):
        steps.run("create_customer", _event(TENANT))


class _Customers:
    def __init__(self, steps: Steps) -> None:
        self._url = steps.sandbox.url

    def put(self, customer: dict[str, Any]) -> None:
        import requests  # noqa: PLC0415 - for this helper only

        answer = requests.put(f"{self._url}/customers", json=customer, headers={"X-API-KEY": "key-1"}, timeout=10)
        assert answer.ok


def _customer_of(steps: Steps) -> _Customers:
    return _Customers(steps)
