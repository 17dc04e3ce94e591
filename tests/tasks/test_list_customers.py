import json
from typing import Any

import pytest

from amberflo_workflows.tasks.amberflo.errors import AmberfloUnavailable
from amberflo_workflows.tasks.get_customer import MAX_CUSTOMER_BYTES
from tests.tasks.conftest import Steps


def _onboard(steps: Steps, *tenants: dict[str, Any]) -> None:
    for tenant in tenants:
        steps.run("create_customer", {"id": "e", "detail": tenant})


def _list_ids(steps: Steps, **request: Any) -> list[str]:
    return [customer["customerId"] for customer in steps.run("list_customers", request)["body"]["data"]]


def test_customers_are_listed_by_page_and_sorted_by_id(steps: Steps) -> None:
    _onboard(steps, *({"tenantId": f"t-{number}"} for number in (3, 1, 2)))
    first = steps.run("list_customers", {"limit": "2"})["body"]
    assert [customer["customerId"] for customer in first["data"]] == ["t-1", "t-2"]
    # A customer that is created between the pages changes neither.
    _onboard(steps, {"tenantId": "t-0"})
    second = steps.run("list_customers", {"limit": "2", "next_token": first["next_token"]})["body"]
    assert ([customer["customerId"] for customer in second["data"]], second["next_token"]) == (["t-3"], None)


@pytest.mark.parametrize("text", ["ACME", "stra\u00dfe", "ops@", "t-1"])
def test_a_search_looks_at_id_name_and_email_in_any_case(steps: Steps, text: str) -> None:
    _onboard(
        steps,
        {"tenantId": "t-1", "tenantName": "Acme Stra\u00dfe", "email": "Ops@example.com"},
        {"tenantId": "other", "tier": "acme"},
    )
    assert _list_ids(steps, search=text) == ["t-1"]
    assert _list_ids(steps, search="nobody") == []


def test_one_customer_is_read_by_its_id_in_any_form_of_its_characters(steps: Steps) -> None:
    _onboard(steps, {"tenantId": "caf\u00e9/1", "tenantName": "Caf\u00e9"})
    response = steps.run("get_customer", {"customerId": "cafe\u0301/1"})
    assert (response["statusCode"], response["body"]["data"]["customerName"]) == (200, "Caf\u00e9")
    response = steps.run("get_customer", {"customerId": "nobody"})
    assert (response["statusCode"], response["body"]["message"]) == (404, "The customer 'nobody' was not found.")


@pytest.mark.parametrize(
    ("step", "request_", "field"),
    [
        ("get_customer", {}, "customerId"),
        ("get_customer", {"customerId": ""}, "customerId"),
        ("get_customer", {"customerId": "x" * 201}, "customerId"),
        ("get_customer", {"customerId": "\ud800"}, "Unicode"),
        ("list_customers", {"limit": 0}, "limit"),
        ("list_customers", {"next_token": "?"}, "next_token"),
        ("list_customers", {"search": 5}, "search"),
    ],
)
def test_an_invalid_request_is_a_400_that_names_the_field(steps: Steps, step: str, request_: Any, field: str) -> None:
    response = steps.run(step, request_)
    assert (response["statusCode"], field in str(response["body"])) == (400, True)


def test_an_odd_list_is_an_error_and_a_large_customer_a_413(steps: Steps) -> None:
    odd = {"kind": "status", "status": 200, "path": "/customers*", "times": 1}
    steps.sandbox.set_faults([{**odd, "body": "{}"}])
    with pytest.raises(AmberfloUnavailable, match="GET /customers is not a list"):
        steps.run("list_customers", {})
    for size, status in ((MAX_CUSTOMER_BYTES - 100, 200), (MAX_CUSTOMER_BYTES, 413)):
        steps.sandbox.set_faults([{**odd, "body": json.dumps({"customerId": "t-1", "description": "d" * size})}])
        assert steps.run("get_customer", {"customerId": "t-1"})["statusCode"] == status
