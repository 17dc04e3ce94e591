"""The document itself: paths from the table of operations, schemas from types, summaries from the API's docstrings."""

import json
from typing import Any, Final

import msgspec

import amberflo_workflows
from amberflo_workflows.core.meter import READ_ONLY_FIELDS
from amberflo_workflows.entrypoints import api
from amberflo_workflows.infra.operations import DOCUMENT, OPERATIONS, Operation, Route
from tools.openapi import answers
from tools.openapi.calls import CALLS, Call
from tools.openapi.parameters import METER_ID
from tools.openapi.shapes import CountedUsage, Dimension, GatewayProblem, Problem

_REF: Final = "#/components/schemas/{name}"
_ABOUT: Final = (
    "Every call is an execution of a Step Functions workflow, which the header `x-execution-arn` of its answer names. "
    "Bodies and answers are JSON."
)


def text() -> str:
    """The document as it is committed."""
    return json.dumps(document(), indent=2) + "\n"


def document() -> dict[str, Any]:
    """The OpenAPI document."""
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Usage metering with Amberflo",
            "description": _ABOUT,
            "version": amberflo_workflows.__version__,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"token": []}],
        "paths": _paths(),
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            "headers": answers.HEADERS,
            "responses": answers.PROBLEMS,
            "schemas": _schemas(),
        },
    }


def _paths() -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        if operation.route:
            item = paths.setdefault(operation.route.path, _item(operation.route))
            item[operation.route.method.lower()] = _operation(operation, CALLS[operation.name])
    paths[DOCUMENT.path] = {DOCUMENT.method.lower(): _own()}
    return paths


def _item(route: Route) -> dict[str, Any]:
    return {"parameters": [METER_ID]} if "{meterId}" in route.path else {}


def _operation(operation: Operation, call: Call) -> dict[str, Any]:
    succeeded: dict[str, Any] = {
        "description": "It is done.",
        "headers": {"x-execution-arn": answers.EXECUTION_ARN},
        "content": _content(call.answers),
    }
    if call.links:
        succeeded["links"] = {_camel(name): _link(name) for name in call.links}
    described: dict[str, Any] = {
        "operationId": _camel(operation.name),
        "summary": getattr(api, operation.name).__doc__,
        "description": call.description,
    }
    if call.parameters:
        described["parameters"] = list(call.parameters)
    if call.bodies:
        described["requestBody"] = {"required": True, "content": _content(call.bodies)}
    return {**described, "responses": {str(call.status): succeeded, **answers.problems(*call.problems)}}


def _own() -> dict[str, Any]:
    """Of the document itself; no workflow is started for it."""
    found = {
        "description": "The document.",
        "headers": {"Cache-Control": {"schema": {"type": "string"}}},
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
    return {
        "operationId": "document",
        "summary": api.document.__doc__,
        "responses": {"200": found, **answers.problems(workflow=False)},
    }


def _link(name: str) -> dict[str, Any]:
    return {"operationId": _camel(name), "parameters": {"meterId": "$response.body#/data/id"}}


def _content(types: tuple[type, ...]) -> dict[str, Any]:
    references = [{"$ref": _REF.format(name=one.__name__)} for one in types]
    schema = references[0] if len(references) == 1 else {"anyOf": references}
    return {"application/json": {"schema": schema}}


def _schemas() -> dict[str, Any]:
    types = {one for call in CALLS.values() for one in call.types}
    wanted = sorted({*types, CountedUsage, GatewayProblem, Problem}, key=lambda one: one.__name__)
    (dimension, *_), schemas = msgspec.json.schema_components([Dimension, *wanted], ref_template=_REF)
    for name in ("NewMeter", "MeterFields"):
        # A meter that was read may be changed and sent back whole.
        schemas[name]["properties"] |= {field: {"readOnly": True} for field in sorted(READ_ONLY_FIELDS)}
    for name in ("Usage", "CountedUsage"):
        schemas[name]["additionalProperties"] = dimension
    schemas["CancelRecords"]["properties"]["records"]["items"] = {"$ref": _REF.format(name="CountedUsage")}
    return dict(sorted(schemas.items()))


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
