from typing import Any

import pytest

from tests.sandbox.conftest import Amberflo, record

ACME = {"customerId": "acme", "customerName": "Acme", "traits": {"tier": "gold"}}


def test_an_unknown_customer_is_an_empty_object(amberflo: Amberflo) -> None:
    assert amberflo.json("GET", "/customers/?customerId=acme") == {}
    assert amberflo.json("GET", "/customers/acme") == {}


def test_creating_an_existing_customer_fails(amberflo: Amberflo) -> None:
    customer = amberflo.json("POST", "/customers?autoCreateCustomerInStripe=false", ACME)
    assert (customer["id"], customer["lifecycleStage"]) == ("acme", "ONBOARDING")
    assert amberflo.json("GET", "/customers/acme") == customer
    assert amberflo.json("GET", "/customers") == [customer]
    assert "already exists" in amberflo.error_message("POST", "/customers", ACME)


def test_a_put_creates_or_replaces_a_customer(amberflo: Amberflo) -> None:
    first = amberflo.json("PUT", "/customers", ACME)
    second = amberflo.json("PUT", "/customers", {"customerId": "acme", "customerName": "Acme Corp"})
    assert (second["traits"], second["createTime"]) == ({}, first["createTime"])


def test_a_reinstated_customer_is_visible_and_stays_offboarded(amberflo: Amberflo) -> None:
    amberflo.json("POST", "/customers", ACME)
    amberflo.json("DELETE", "/customers/acme")
    assert amberflo.json("GET", "/customers/acme") == {}
    assert amberflo.json("GET", "/customers") == []
    amberflo.json("PUT", "/customers/reinstate", {"customerId": "acme"})
    assert amberflo.json("GET", "/customers/acme")["lifecycleStage"] == "OFFBOARDED"


def test_a_stage_only_moves_forward_and_ignores_case(amberflo: Amberflo) -> None:
    amberflo.json("POST", "/customers", ACME)
    for stage in ("trial", "ACTIVE", "OFFBOARDED"):
        moved = amberflo.json("PUT", "/customers/stage", {"customerId": "acme", "lifecycleStage": stage})
        assert moved["lifecycleStage"] == stage.upper()
    message = amberflo.error_message("PUT", "/customers/stage", {"customerId": "acme", "lifecycleStage": "ACTIVE"})
    assert "Invalid lifecycleStage transition from OFFBOARDED to ACTIVE" in message


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/customers", {"customerId": "acme"}),
        ("POST", "/customers", {**ACME, "customerId": 5}),
        ("POST", "/customers", {**ACME, "customerName": ["Acme"]}),
        ("POST", "/customers", {**ACME, "lifecycleStage": "GONE"}),
        ("GET", "/customers/paging?page=x", None),
        ("GET", "/customers/paging?page=0", None),
        ("GET", "/customers/paging?limit=0", None),
        ("PUT", "/customers/stage", []),
        ("PUT", "/customers/reinstate", None),
        ("PUT", "/customers", []),
        ("PUT", "/customers/stage", {"customerId": "nobody", "lifecycleStage": "ACTIVE"}),
        ("PUT", "/customers/stage", {"customerId": "acme", "lifecycleStage": "GONE"}),
        ("PUT", "/customers/reinstate", {"customerId": "nobody"}),
    ],
    ids=[
        "no name",
        "numeric id",
        "name is a list",
        "unknown stage in a new customer",
        "page is not a number",
        "page 0",
        "limit 0",
        "stage body is a list",
        "no reinstate body",
        "customer is a list",
        "stage of an unknown customer",
        "unknown stage",
        "reinstate an unknown customer",
    ],
)
def test_an_invalid_request_is_a_400(amberflo: Amberflo, method: str, path: str, body: Any) -> None:
    assert "Invalid request" in amberflo.error_message(method, path, body)


def test_the_first_page_of_customers_is_1(amberflo: Amberflo) -> None:
    for number in range(5):
        amberflo.json("POST", "/customers", {"customerId": f"c{number}", "customerName": f"Name {number}"})
    page = amberflo.json("GET", "/customers/paging?limit=2&page=2")
    assert [customer["customerId"] for customer in page["items"]] == ["c2", "c3"]
    assert (page["metadata"]["totalRowCount"], page["metadata"]["totalFilteredPages"]) == (5, 3)
    matches = amberflo.json("GET", "/customers/paging?search=Name 4")
    assert [customer["customerId"] for customer in matches["items"]] == ["c4"]


def test_a_customer_has_its_fields_and_those_of_the_server(amberflo: Amberflo) -> None:
    fields = {**ACME, "description": "d", "address": {"city": "Oslo"}, "test": True, "lifecycleStage": "trial"}
    customer = amberflo.json("POST", "/customers", fields)
    assert {**fields, "lifecycleStage": "TRIAL", "id": "acme"}.items() <= customer.items()
    assert customer["createTime"] <= customer["updateTime"]


def test_hiding_a_customer_keeps_its_usage(amberflo: Amberflo) -> None:
    amberflo.json("POST", "/customers", ACME)
    amberflo.ingest(record(customerId="acme"))
    hidden = amberflo.json("DELETE", "/customers/acme")
    assert (hidden["customerId"], hidden["deleteTime"] > 0) == ("acme", True)
    assert amberflo.sandbox.totals("api-calls") == {"acme": 1}
    assert amberflo.json("GET", "/customers/?customerId=acme") == {}
