"""The document: paths from the table of operations, schemas from types, summaries from the docstrings of the API."""

import json
from typing import Any, Final

import msgspec

import amberflo_workflows
from amberflo_workflows.core.meter import READ_ONLY_FIELDS
from amberflo_workflows.infra.operations import DOCUMENT, Route, list_routes, to_pascal_case, to_snake_case
from tools.openapi import responses
from tools.openapi.calls import CALLS, Call
from tools.openapi.parameters import CUSTOMER_ID, METER_ID, OPERATION_ID
from tools.openapi.schemas import CountedUsage, Dimension, GatewayProblem, Problem

_REF: Final = "#/components/schemas/{name}"
_DESCRIPTION: Final = (
    "Every call starts an execution of a Step Functions workflow; the response header `x-execution-arn` has its ARN. "
    "Bodies and responses are JSON."
)


def render_document() -> str:
    """The document as JSON text, as it is committed."""
    return json.dumps(build_document(), indent=2) + "\n"


def build_document() -> dict[str, Any]:
    """The OpenAPI document."""
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Usage metering with Amberflo",
            "description": _DESCRIPTION,
            "version": amberflo_workflows.__version__,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"token": []}],
        "paths": _build_paths(),
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            "headers": responses.HEADERS,
            "responses": responses.PROBLEMS,
            "schemas": _build_schemas(),
        },
    }


def _build_paths() -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for name, route in list_routes().items():
        item = paths.setdefault(route.path, _build_path_item(route))
        item[route.method.lower()] = _build_operation(name, CALLS[to_snake_case(name)])
    paths[DOCUMENT.path] = {DOCUMENT.method.lower(): _build_document_operation()}
    return paths


def _build_path_item(route: Route) -> dict[str, Any]:
    ids = (CUSTOMER_ID, METER_ID, OPERATION_ID)
    parameters = [parameter for parameter in ids if f"{{{parameter['name']}}}" in route.path]
    return {"parameters": parameters} if parameters else {}


def _build_operation(name: str, call: Call) -> dict[str, Any]:
    success: dict[str, Any] = {
        "description": "Success.",
        "headers": {"x-execution-arn": responses.EXECUTION_ARN},
        "content": _build_content(call.responses),
    }
    if call.links:
        success["links"] = {_to_camel_case(name): _build_link(name) for name in call.links}
    description: dict[str, Any] = {
        "operationId": _to_camel_case(to_snake_case(name)),
        "summary": call.summary,
        "description": call.description,
    }
    if call.parameters:
        description["parameters"] = list(call.parameters)
    if call.bodies:
        description["requestBody"] = {"required": True, "content": _build_content(call.bodies)}
    return {**description, "responses": {str(call.status): success, **responses.build_problems(*call.problems)}}


def _build_document_operation() -> dict[str, Any]:
    """The operation that returns the document itself; it starts no workflow."""
    success = {
        "description": "The document.",
        "headers": {"Cache-Control": {"schema": {"type": "string"}}},
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
    return {
        "operationId": "document",
        "summary": "Describe this API.",
        "responses": {"200": success, **responses.build_problems(has_workflow=False)},
    }


def _build_link(name: str) -> dict[str, Any]:
    route = list_routes()[to_pascal_case(name)]
    (parameter,) = _build_path_item(route)["parameters"]
    return {"operationId": _to_camel_case(name), "parameters": {parameter["name"]: "$response.body#/data/id"}}


def _build_content(types: tuple[type, ...]) -> dict[str, Any]:
    references = [{"$ref": _REF.format(name=type_.__name__)} for type_ in types]
    schema = references[0] if len(references) == 1 else {"anyOf": references}
    return {"application/json": {"schema": schema}}


def _build_schemas() -> dict[str, Any]:
    types = {type_ for call in CALLS.values() for type_ in call.types} | {CountedUsage, GatewayProblem, Problem}
    sorted_types = sorted(types, key=lambda type_: type_.__name__)
    (dimension, *_), schemas = msgspec.json.schema_components([Dimension, *sorted_types], ref_template=_REF)
    for name in ("NewMeter", "MeterFields"):
        # A caller may get a meter, change it, and send all of it back.
        schemas[name]["properties"] |= {field: {"readOnly": True} for field in sorted(READ_ONLY_FIELDS)}
    for name in ("Usage", "CountedUsage"):
        schemas[name]["additionalProperties"] = dimension
    schemas["CancelRecords"]["properties"]["records"]["items"] = {"$ref": _REF.format(name="CountedUsage")}
    return dict(sorted(schemas.items()))


def _to_camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
