from collections.abc import Callable
from typing import Any

import pytest

from tests.sandbox.conftest import METER, Amberflo, record


def test_a_meter_gets_an_id_of_the_servers_and_what_the_server_knows(amberflo: Amberflo) -> None:
    made = amberflo.create_meter(id="mine", aggregation="mine")
    assert made["id"] != "mine"
    assert (made["aggregation"], made["lockingStatus"]) == ("sum", "open")
    assert METER.items() <= made.items()
    assert amberflo.json("GET", f"/meters/{made['id']}") == made


def test_meters_are_listed_bare_and_found_by_name_or_label(amberflo: Amberflo) -> None:
    one = amberflo.create_meter()
    other = amberflo.create_meter(label="other", meterApiName="other")
    assert amberflo.json("GET", "/meters") == [one, other]
    assert amberflo.json("GET", "/meters?meterApiName=other") == [other]
    assert amberflo.json("GET", "/meters?label=API calls") == [one]
    assert amberflo.json("GET", "/meters?meterApiName=none") == []


@pytest.mark.parametrize(
    ("field", "fragment"),
    [
        ({"label": "other"}, "Meter already exists with 'meterApiName': api-calls"),
        ({"meterApiName": "other"}, "already exists with 'label': API calls"),
    ],
)
def test_a_name_or_label_that_is_taken_is_a_400(amberflo: Amberflo, field: dict[str, str], fragment: str) -> None:
    amberflo.create_meter()
    assert fragment in amberflo.refusal("POST", "/meters", {**METER, **field})


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
)
def test_a_wrong_meter_is_a_400(amberflo: Amberflo, fields: dict[str, Any], fragment: str) -> None:
    assert fragment in amberflo.refusal("POST", "/meters", {**METER, **fields})


def test_an_update_replaces_the_whole_meter_by_the_id_in_its_body(amberflo: Amberflo) -> None:
    made = amberflo.create_meter(description="calls")
    changed = amberflo.json("PUT", "/meters", {**METER, "id": made["id"], "label": "new"})
    assert (changed["label"], changed.get("description"), changed["createTime"]) == ("new", None, made["createTime"])


def test_an_update_without_an_id_is_a_create(amberflo: Amberflo) -> None:
    made = amberflo.json("PUT", "/meters", METER)
    assert amberflo.json("GET", "/meters") == [made]
    assert "already exists" in amberflo.refusal("PUT", "/meters", METER)


def test_a_meter_is_deleted_only_when_it_is_deprecated(amberflo: Amberflo) -> None:
    made = amberflo.create_meter()
    told = amberflo.refusal("DELETE", f"/meters/{made['id']}")
    assert "'lockingStatus' open prevents meter from being deleted." in told
    amberflo.json("PUT", "/meters", {**made, "lockingStatus": "deprecated"})
    amberflo.json("DELETE", f"/meters/{made['id']}")
    assert amberflo.json("GET", "/meters") == []


@pytest.mark.parametrize("meter_id", ["unknown", "api-calls"])
def test_the_deletion_of_what_is_no_id_is_a_200_and_nothing_happens(amberflo: Amberflo, meter_id: str) -> None:
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
def test_a_lock_only_closes(amberflo: Amberflo, before: str, after: str, *, allowed: bool) -> None:
    made = amberflo.create_meter(lockingStatus=before)
    answer = amberflo.call("PUT", "/meters", {**made, "lockingStatus": after})
    assert (answer.status_code == 200) == allowed
    assert allowed or "transition" in answer.json()["errorMessage"]


def test_a_locked_meter_keeps_its_name_and_type_and_takes_another_label(amberflo: Amberflo) -> None:
    made = amberflo.create_meter(lockingStatus="close_to_changes")
    assert amberflo.json("PUT", "/meters", {**made, "label": "new"})["label"] == "new"
    assert "prevents meter from being changed" in amberflo.refusal("PUT", "/meters", {**made, "meterApiName": "other"})


@pytest.mark.parametrize(("strict", "status"), [(False, 200), (True, 400)])
def test_types_that_only_older_clients_know_can_be_refused(
    started: Callable[..., Amberflo], *, strict: bool, status: int
) -> None:
    answer = started(strict=strict).call("POST", "/meters", {**METER, "meterType": "running_total"})
    assert answer.status_code == status


@pytest.mark.parametrize("meter_id", ["unknown", 5, ["unknown"]])
def test_an_update_of_what_is_not_there_is_a_400_and_makes_nothing(amberflo: Amberflo, meter_id: Any) -> None:
    assert "does not exist" in amberflo.refusal("PUT", "/meters", {**METER, "id": meter_id})
    assert amberflo.json("GET", "/meters") == []


@pytest.mark.parametrize("field", ["label", "meterApiName"])
def test_an_update_cannot_take_anothers_name_or_label_but_keeps_its_own(amberflo: Amberflo, field: str) -> None:
    made = amberflo.create_meter()
    other = amberflo.create_meter(label="other", meterApiName="other")
    assert f"already exists with '{field}'" in amberflo.refusal("PUT", "/meters", {**other, field: made[field]})
    assert amberflo.json("PUT", "/meters", {**other, "description": "d"})["description"] == "d"


def test_a_name_of_50_characters_of_every_kind_is_taken(amberflo: Amberflo) -> None:
    name = "aZ09-_." + "x" * 43
    assert amberflo.create_meter(meterApiName=name)["meterApiName"] == name


def test_a_deleted_meter_frees_its_name_and_its_usage_stays(amberflo: Amberflo) -> None:
    amberflo.ingest(record())
    made = amberflo.create_meter(lockingStatus="deprecated")
    amberflo.json("DELETE", f"/meters/{made['id']}")
    amberflo.create_meter()
    assert amberflo.usage()["clientMeters"][0]["groupValue"] == 1
