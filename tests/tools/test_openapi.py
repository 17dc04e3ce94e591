"""The API's document: as committed, as the specification has it, and as the code has it."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
import schemathesis

from amberflo_workflows.core.meter import READ_ONLY_FIELDS, parse_new_meter
from amberflo_workflows.entrypoints import api_response
from amberflo_workflows.entrypoints.api import DOCUMENT
from amberflo_workflows.infra.operations import OPERATIONS, Operation
from amberflo_workflows.tasks.fetch_usage import UsageQuestion
from tests.entrypoints.calls import METER
from tools.openapi.document import document, text

API_MD = Path(__file__).parents[2] / "docs" / "api.md"
OWN = json.loads(DOCUMENT.read_text())
SCHEMAS = OWN["components"]["schemas"]
ROUTED = [operation for operation in OPERATIONS if operation.route]


def _described(operation: Operation) -> Any:
    assert operation.route
    return OWN["paths"][operation.route.path][operation.route.method.lower()]


def _judge(name: str) -> Any:
    return jsonschema_rs.validator_for({"$ref": f"#/components/schemas/{name}", "components": OWN["components"]})


def test_what_is_committed_is_what_the_code_makes() -> None:
    assert DOCUMENT.read_text() == text(), "run: make openapi"


def test_it_is_a_document_of_openapi_and_its_schemas_are_schemas() -> None:
    schemathesis.openapi.from_dict(document()).validate()
    for schema in SCHEMAS.values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})


def test_every_reference_leads_somewhere() -> None:
    for kind, name in re.findall(r'"#/components/(\w+)/(\w+)"', DOCUMENT.read_text()):
        assert name in OWN["components"][kind]
    ids = {_described(operation)["operationId"] for operation in ROUTED}
    linked = [
        link
        for operation in ROUTED
        for answer in _described(operation)["responses"].values()
        for link in answer.get("links", {})
    ]
    assert linked
    assert set(linked) <= ids


def test_every_route_is_in_it_and_no_other_but_its_own() -> None:
    found = {(method.upper(), path) for path, item in OWN["paths"].items() for method in item if method != "parameters"}
    assert found == {operation.route for operation in ROUTED} | {("GET", "/openapi.json")}


@pytest.mark.parametrize("operation", ROUTED, ids=lambda operation: operation.name)
def test_every_call_may_have_every_error_that_an_execution_can_end_with(operation: Operation) -> None:
    assert {str(status) for status in api_response._STATUS.values()} | {"401", "403", "500"} <= _described(operation)[
        "responses"
    ].keys()


def test_every_error_of_the_handbook_is_in_it() -> None:
    rows = re.findall(r"^\| ([\d, ]+) \|", API_MD.read_text(), re.MULTILINE)
    named = {status for row in rows for status in row.replace(",", " ").split()}
    found = {status for operation in ROUTED for status in _described(operation)["responses"] if status > "299"}
    assert named == found


def test_every_parameter_of_a_usage_query_is_in_it() -> None:
    (operation,) = (one for one in ROUTED if one.name == "fetch_usage")
    names = {parameter["name"] for parameter in _described(operation)["parameters"]}
    fields = {field.encode_name for field in msgspec.structs.fields(UsageQuestion)}
    assert names == fields - {"meterId"} | {"tenantId", "filter"}


def test_a_meter_that_was_read_may_be_sent_back_by_the_document_as_by_the_code() -> None:
    read = {**METER, "id": "i", **dict.fromkeys(READ_ONLY_FIELDS, "x")}
    assert parse_new_meter(read)
    assert _judge("NewMeter").is_valid(read)
    assert not _judge("NewMeter").is_valid({**read, "lable": "misspelt"})


@pytest.mark.parametrize("name", ["a", "a.b-c_9", "", "a" * 51, "a b", "é", "a\n", "a\nb"])
def test_a_name_is_judged_alike_by_the_document_and_by_the_code(name: str) -> None:
    meter = {**METER, "meterApiName": name}
    try:
        parse_new_meter(meter)
        taken = True
    except msgspec.ValidationError:
        taken = False
    assert _judge("NewMeter").is_valid(meter) == taken
