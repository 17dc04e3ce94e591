"""The OpenAPI document matches the code, the specification and the documentation."""

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
from amberflo_workflows.infra.operations import list_routes
from amberflo_workflows.tasks.fetch_usage import UsageQuestion
from tests.entrypoints.calls import METER
from tools.openapi.document import build_document, render_document

API_MD = Path(__file__).parents[2] / "docs" / "api.md"
COMMITTED = json.loads(DOCUMENT.read_text())
SCHEMAS = COMMITTED["components"]["schemas"]
ROUTES = list_routes()


def _operation_object(name: str) -> Any:
    return COMMITTED["paths"][ROUTES[name].path][ROUTES[name].method.lower()]


def _validator(name: str) -> Any:
    return jsonschema_rs.validator_for({"$ref": f"#/components/schemas/{name}", "components": COMMITTED["components"]})


def test_the_committed_document_is_the_generated_one() -> None:
    assert DOCUMENT.read_text() == render_document(), "run: make openapi"


def test_the_document_is_valid_openapi_and_its_schemas_are_valid() -> None:
    schemathesis.openapi.from_dict(build_document()).validate()
    for schema in SCHEMAS.values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})


def test_every_reference_and_link_has_a_target() -> None:
    for kind, name in re.findall(r'"#/components/(\w+)/(\w+)"', DOCUMENT.read_text()):
        assert name in COMMITTED["components"][kind]
    ids = {_operation_object(name)["operationId"] for name in ROUTES}
    linked = [
        link
        for name in ROUTES
        for response in _operation_object(name)["responses"].values()
        for link in response.get("links", {})
    ]
    assert linked
    assert set(linked) <= ids


def test_the_document_has_every_route_and_its_own() -> None:
    routes = {
        (method.upper(), path) for path, item in COMMITTED["paths"].items() for method in item if method != "parameters"
    }
    assert routes == {*ROUTES.values()} | {("GET", "/openapi.json")}


@pytest.mark.parametrize("name", ROUTES)
def test_every_call_has_the_statuses_of_all_execution_errors(name: str) -> None:
    statuses = {str(status) for status in api_response._STATUS_BY_ERROR.values()} | {"401", "403", "500"}
    assert statuses <= _operation_object(name)["responses"].keys()


def test_the_document_has_the_errors_of_api_md() -> None:
    rows = re.findall(r"^\| ([\d, ]+) \|", API_MD.read_text(), re.MULTILINE)
    expected = {status for row in rows for status in row.replace(",", " ").split()}
    actual = {status for name in ROUTES for status in _operation_object(name)["responses"] if status > "299"}
    assert actual == expected


def test_the_document_has_every_parameter_of_a_usage_query() -> None:
    names = {parameter["name"] for parameter in _operation_object("FetchUsage")["parameters"]}
    fields = {field.encode_name for field in msgspec.structs.fields(UsageQuestion)}
    assert names == fields - {"meterId"} | {"tenantId", "filter"}


def test_the_document_repeats_a_filter_and_has_no_empty_value() -> None:
    parameters = {parameter["name"]: parameter for parameter in _operation_object("FetchUsage")["parameters"]}
    tenants, filters = (parameters[name] for name in ("tenantId", "filter"))
    assert (tenants["explode"], filters["explode"]) == (True, True)
    for value, is_valid in (("Acme, Inc.", True), ("", False), (" ", False)):
        assert jsonschema_rs.is_valid(tenants["schema"], [value]) == is_valid
        assert jsonschema_rs.is_valid(filters["schema"], {"filter.region": value}) == is_valid


def test_the_document_and_the_code_accept_a_meter_as_the_api_returned_it() -> None:
    meter = {**METER, "id": "i", **dict.fromkeys(READ_ONLY_FIELDS, "x")}
    assert parse_new_meter(meter)
    assert _validator("NewMeter").is_valid(meter)
    assert not _validator("NewMeter").is_valid({**meter, "lable": "misspelt"})


@pytest.mark.parametrize("name", ["a", "a.b-c_9", "", "a" * 51, "a b", "é", "a\n", "a\nb"])
def test_the_document_and_the_code_accept_the_same_names(name: str) -> None:
    meter = {**METER, "meterApiName": name}
    try:
        parse_new_meter(meter)
        is_accepted = True
    except msgspec.ValidationError:
        is_accepted = False
    assert _validator("NewMeter").is_valid(meter) == is_accepted
