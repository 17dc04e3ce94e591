from collections.abc import Callable
from typing import Any

import pytest

from tests.sandbox.conftest import METER, Amberflo, record


def test_a_meter_has_its_fields_and_those_of_the_server(amberflo: Amberflo) -> None:
    meter = amberflo.create_meter(id="mine", aggregation="mine")
    assert meter["id"] != "mine"
    assert (meter["aggregation"], meter["lockingStatus"]) == ("sum", "open")
    assert METER.items() <= meter.items()
    assert amberflo.json("GET", f"/meters/{meter['id']}") == meter


def test_meters_are_listed_and_filtered_by_name_or_label(amberflo: Amberflo) -> None:
    meter = amberflo.create_meter()
    other = amberflo.create_meter(label="other", meterApiName="other")
    assert amberflo.json("GET", "/meters") == [meter, other]
    assert amberflo.json("GET", "/meters?meterApiName=other") == [other]
    assert amberflo.json("GET", "/meters?label=API calls") == [meter]
    assert amberflo.json("GET", "/meters?meterApiName=none") == []


@pytest.mark.parametrize(
    ("field", "fragment"),
    [
        ({"label": "other"}, "Meter already exists with 'meterApiName': api-calls"),
        ({"meterApiName": "other"}, "already exists with 'label': API calls"),
    ],
    ids=["name", "label"],
)
def test_an_existing_name_or_label_is_a_400(amberflo: Amberflo, field: dict[str, str], fragment: str) -> None:
    amberflo.create_meter()
    assert fragment in amberflo.error_message("POST", "/meters", {**METER, **field})


@pytest.mark.parametrize(
    ("fields", "fragment"),
    [
        ({"label": None}, "'label' is required"),
        ({"meterType": "sum"}, "Invalid meter type"),
        ({"meterApiName": "x" * 51}, "too long"),
        ({"meterApiName": "a b"}, "invalid character"),
        ({"meterApiName": "calls\n"}, "invalid character"),
        ({"dimensions": "region"}, "Invalid request"),
        ({"aggregationDimensions": [5]}, "Invalid request"),
        ({"lockingStatus": ["open"]}, "Invalid lockingStatus"),
        ({"meterType": "active_users"}, "'aggregationDimensions' is required"),
        ({"lockingStatus": "shut"}, "Invalid lockingStatus"),
    ],
    ids=[
        "no label",
        "unknown type",
        "long name",
        "space in the name",
        "line break in the name",
        "dimensions as text",
        "numeric dimension",
        "list of locking statuses",
        "no aggregation dimensions",
        "unknown locking status",
    ],
)
def test_an_invalid_meter_is_a_400(amberflo: Amberflo, fields: dict[str, Any], fragment: str) -> None:
    assert fragment in amberflo.error_message("POST", "/meters", {**METER, **fields})


def test_an_update_replaces_the_meter_with_the_id_in_the_body(amberflo: Amberflo) -> None:
    meter = amberflo.create_meter(description="calls")
    changed = amberflo.json("PUT", "/meters", {**METER, "id": meter["id"], "label": "new"})
    assert (changed["label"], changed.get("description"), changed["createTime"]) == ("new", None, meter["createTime"])


def test_an_update_without_an_id_creates_a_meter(amberflo: Amberflo) -> None:
    meter = amberflo.json("PUT", "/meters", METER)
    assert amberflo.json("GET", "/meters") == [meter]
    assert "already exists" in amberflo.error_message("PUT", "/meters", METER)


def test_only_a_deprecated_meter_can_be_deleted(amberflo: Amberflo) -> None:
    meter = amberflo.create_meter()
    message = amberflo.error_message("DELETE", f"/meters/{meter['id']}")
    assert "'lockingStatus' open prevents meter from being deleted." in message
    amberflo.json("PUT", "/meters", {**meter, "lockingStatus": "deprecated"})
    amberflo.json("DELETE", f"/meters/{meter['id']}")
    assert amberflo.json("GET", "/meters") == []


@pytest.mark.parametrize("meter_id", ["unknown", "api-calls"])
def test_deleting_an_unknown_id_changes_nothing(amberflo: Amberflo, meter_id: str) -> None:
    amberflo.create_meter()
    assert amberflo.json("DELETE", f"/meters/{meter_id}") == {}
    assert len(amberflo.json("GET", "/meters")) == 1


@pytest.mark.parametrize(
    ("before", "after", "allowed"),
    [
        ("open", "close_to_changes", True),
        ("open", "deprecated", True),
        ("close_to_changes", "deprecated", True),
        ("close_to_changes", "open", False),
        ("close_to_changes", "close_to_deletion", False),
        ("deprecated", "open", False),
    ],
)
def test_a_locking_status_only_moves_forward(amberflo: Amberflo, before: str, after: str, *, allowed: bool) -> None:
    meter = amberflo.create_meter(lockingStatus=before)
    response = amberflo.call("PUT", "/meters", {**meter, "lockingStatus": after})
    assert (response.status_code == 200) == allowed
    assert allowed or "transition" in response.json()["errorMessage"]


def test_only_the_label_of_a_locked_meter_can_change(amberflo: Amberflo) -> None:
    meter = amberflo.create_meter(lockingStatus="close_to_changes")
    assert amberflo.json("PUT", "/meters", {**meter, "label": "new"})["label"] == "new"
    assert "prevents meter from being changed" in amberflo.error_message(
        "PUT", "/meters", {**meter, "meterApiName": "other"}
    )


@pytest.mark.parametrize(("strict", "status"), [(False, 200), (True, 400)])
def test_strict_rejects_types_that_only_older_clients_know(
    start_sandbox: Callable[..., Amberflo], *, strict: bool, status: int
) -> None:
    response = start_sandbox(strict=strict).call("POST", "/meters", {**METER, "meterType": "running_total"})
    assert response.status_code == status


@pytest.mark.parametrize("meter_id", ["unknown", 5, ["unknown"]], ids=["text", "number", "list"])
def test_an_update_of_an_unknown_id_is_a_400_and_creates_nothing(amberflo: Amberflo, meter_id: Any) -> None:
    assert "does not exist" in amberflo.error_message("PUT", "/meters", {**METER, "id": meter_id})
    assert amberflo.json("GET", "/meters") == []


@pytest.mark.parametrize("field", ["label", "meterApiName"])
def test_an_update_can_keep_its_name_and_label_but_not_use_anothers(amberflo: Amberflo, field: str) -> None:
    meter = amberflo.create_meter()
    other = amberflo.create_meter(label="other", meterApiName="other")
    assert f"already exists with '{field}'" in amberflo.error_message("PUT", "/meters", {**other, field: meter[field]})
    assert amberflo.json("PUT", "/meters", {**other, "description": "d"})["description"] == "d"


def test_a_name_can_have_50_characters_of_every_kind(amberflo: Amberflo) -> None:
    name = "aZ09-_." + "x" * 43
    assert amberflo.create_meter(meterApiName=name)["meterApiName"] == name


def test_deleting_a_meter_frees_its_name_and_keeps_its_usage(amberflo: Amberflo) -> None:
    amberflo.ingest(record())
    meter = amberflo.create_meter(lockingStatus="deprecated")
    amberflo.json("DELETE", f"/meters/{meter['id']}")
    amberflo.create_meter()
    assert amberflo.usage()["clientMeters"][0]["groupValue"] == 1


def test_the_control_route_creates_the_missing_meters_with_any_name(amberflo: Amberflo) -> None:
    meter = amberflo.create_meter()
    for _ in range(2):
        amberflo.sandbox.create_meters("api-calls", "größe", "a b")
    listed = amberflo.json("GET", "/meters")
    assert listed[0] == meter
    assert [other["meterApiName"] for other in listed[1:]] == ["a b", "größe"]
    assert {other["meterType"] for other in listed} == {"sum_of_all_usage"}


def test_calls_are_counted_by_their_path(amberflo: Amberflo) -> None:
    amberflo.sandbox.clear_requests()
    amberflo.json("GET", "/meters")
    amberflo.create_meter()
    assert (amberflo.sandbox.count_calls("/meters"), amberflo.sandbox.count_calls("/ingest")) == (2, 0)
