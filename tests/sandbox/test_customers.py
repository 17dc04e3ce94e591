from typing import Any

import pytest

from tests.sandbox.conftest import Amberflo, record

ACME = {"customerId": "acme", "customerName": "Acme", "traits": {"tier": "gold"}}


def test_a_customer_that_is_not_there_is_an_empty_object(amberflo: Amberflo) -> None:
    assert amberflo.json("GET", "/customers/?customerId=acme") == {}
    assert amberflo.json("GET", "/customers/acme") == {}


def test_a_customer_is_created_once(amberflo: Amberflo) -> None:
    made = amberflo.json("POST", "/customers?autoCreateCustomerInStripe=false", ACME)
    assert (made["id"], made["lifecycleStage"]) == ("acme", "ONBOARDING")
    assert amberflo.json("GET", "/customers/acme") == made
    assert amberflo.json("GET", "/customers") == [made]
    assert "already exists" in amberflo.refusal("POST", "/customers", ACME)


def test_a_put_replaces_all_and_makes_what_is_not_there(amberflo: Amberflo) -> None:
    first = amberflo.json("PUT", "/customers", ACME)
    second = amberflo.json("PUT", "/customers", {"customerId": "acme", "customerName": "Acme Corp"})
    assert (second["traits"], second["createTime"]) == ({}, first["createTime"])


def test_a_hidden_customer_is_gone_until_it_is_reinstated_and_stays_offboarded(amberflo: Amberflo) -> None:
    amberflo.json("POST", "/customers", ACME)
    amberflo.json("DELETE", "/customers/acme")
    assert amberflo.json("GET", "/customers/acme") == {}
    assert amberflo.json("GET", "/customers") == []
    amberflo.json("PUT", "/customers/reinstate", {"customerId": "acme"})
    assert amberflo.json("GET", "/customers/acme")["lifecycleStage"] == "OFFBOARDED"


def test_a_stage_only_goes_forward_in_any_case(amberflo: Amberflo) -> None:
    amberflo.json("POST", "/customers", ACME)
    for stage in ("trial", "ACTIVE", "OFFBOARDED"):
        moved = amberflo.json("PUT", "/customers/stage", {"customerId": "acme", "lifecycleStage": stage})
        assert moved["lifecycleStage"] == stage.upper()
    told = amberflo.refusal("PUT", "/customers/stage", {"customerId": "acme", "lifecycleStage": "ACTIVE"})
    assert "Invalid lifecycleStage transition from OFFBOARDED to ACTIVE" in told


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
)
def test_what_is_wrong_is_a_400(amberflo: Amberflo, method: str, path: str, body: Any) -> None:
    assert "Invalid request" in amberflo.refusal(method, path, body)


def test_customers_come_in_pages_that_begin_at_one(amberflo: Amberflo) -> None:
    for number in range(5):
        amberflo.json("POST", "/customers", {"customerId": f"c{number}", "customerName": f"Name {number}"})
    page = amberflo.json("GET", "/customers/paging?limit=2&page=2")
    assert [customer["customerId"] for customer in page["items"]] == ["c2", "c3"]
    assert (page["metadata"]["totalRowCount"], page["metadata"]["totalFilteredPages"]) == (5, 3)
    found = amberflo.json("GET", "/customers/paging?search=Name 4")
    assert [customer["customerId"] for customer in found["items"]] == ["c4"]


def test_what_a_customer_is_given_comes_back_with_what_the_server_knows(amberflo: Amberflo) -> None:
    given = {**ACME, "description": "d", "address": {"city": "Oslo"}, "test": True, "lifecycleStage": "trial"}
    made = amberflo.json("POST", "/customers", given)
    assert {**given, "lifecycleStage": "TRIAL", "id": "acme"}.items() <= made.items()
    assert made["createTime"] <= made["updateTime"]


def test_the_usage_of_a_hidden_customer_stays(amberflo: Amberflo) -> None:
    amberflo.json("POST", "/customers", ACME)
    amberflo.ingest(record(customerId="acme"))
    hidden = amberflo.json("DELETE", "/customers/acme")
    assert (hidden["customerId"], hidden["deleteTime"] > 0) == ("acme", True)
    assert amberflo.sandbox.totals("api-calls") == {"acme": 1}
    assert amberflo.json("GET", "/customers/?customerId=acme") == {}
