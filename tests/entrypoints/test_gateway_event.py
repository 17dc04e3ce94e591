"""Routes and IDs that the gateway matches and a second router may not: the event decides."""

import json
import urllib.parse
from typing import Any

import pytest

from amberflo_workflows.entrypoints.gateway_event import read_request
from amberflo_workflows.infra.operations import DOCUMENT, list_routes
from amberflo_workflows.local.system import System
from tests.entrypoints.calls import Api, create_meter

IDS = ['a"b', "a#b", "a?b", "a\\b", "caf\u00e9 \U0001f600", "meters", "-"]
ROUTES = [*list_routes().values(), DOCUMENT]


def _build_event(route_key: str, path: str, **members: Any) -> dict[str, Any]:
    method = route_key.partition(" ")[0]
    return {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": path,
        "rawQueryString": "",
        "headers": {},
        "requestContext": {"http": {"method": method, "path": path}, "stage": "$default"},
        "isBase64Encoded": False,
        **members,
    }


@pytest.mark.emulator
@pytest.mark.parametrize("meter_id", IDS)
@pytest.mark.parametrize(
    "path",
    [
        "meters/{id}",
        "usage/{id}",
        "usage/{id}/records?tenantId=t&startTimeInSeconds=0&endTimeInSeconds=1",
        "reconciliations/{id}",
    ],
)
def test_an_id_may_have_any_character(api: Api, path: str, meter_id: str) -> None:
    response = api.call("GET", path.replace("{id}", urllib.parse.quote(meter_id, safe="")))
    assert (response.status, meter_id in response.body["message"]) == (404, True), response.body


def _invoke(system: System, event: dict[str, Any]) -> Any:
    functions = system.client("lambda").get_paginator("list_functions").paginate().search("Functions[].FunctionName")
    (function,) = [name for name in functions if "FunctionsApi" in name]
    response = system.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
    return json.loads(response["Payload"].read())


@pytest.mark.emulator
@pytest.mark.parametrize("prefix", ["", "/billing", "/a/meters"])
@pytest.mark.parametrize("stage", ["$default", "prod"])
def test_routes_may_be_under_a_prefix_and_in_a_stage(system: System, api: Api, prefix: str, stage: str) -> None:
    meter_id = create_meter(api)["id"]
    path = f"{'' if stage == '$default' else '/prod'}{prefix}/meters/{meter_id}"
    event = _build_event(f"GET {prefix}/meters/{{meterId}}", path, pathParameters={"meterId": meter_id})
    event["requestContext"]["stage"] = stage
    response = _invoke(system, event)
    assert (response["statusCode"], json.loads(response["body"])["data"]["id"]) == (200, meter_id)


@pytest.mark.emulator
def test_an_id_may_have_a_slash_if_the_gateway_passes_it_on(system: System) -> None:
    """The emulator's gateway decodes a path before it matches the route, and so has no route for this call."""
    event = _build_event("GET /meters/{meterId}", "/meters/a/b", pathParameters={"meterId": "a/b"})
    response = _invoke(system, event)
    assert (response["statusCode"], "'a/b'" in response["body"]) == (404, True)


@pytest.mark.emulator
def test_an_event_in_payload_format_1_says_what_to_change(system: System) -> None:
    response = _invoke(system, {"version": "1.0", "resource": "/meters", "path": "/meters", "httpMethod": "GET"})
    assert response["statusCode"] == 500
    assert "payload format 1.0. Use an HTTP API" in json.loads(response["body"])["message"]


@pytest.mark.parametrize("route", ROUTES, ids=str)
@pytest.mark.parametrize("prefix", ["", "/x"])
def test_every_route_is_known(route: Any, prefix: str) -> None:
    request = read_request(_build_event(f"{route.method} {prefix}{route.path}", "/y"))
    assert (request.method, request.path) == route


@pytest.mark.parametrize("route_key", ["$default", "ANY /{proxy+}", "GET /other", ""])
@pytest.mark.parametrize("stage", ["$default", "prod"])
def test_a_route_that_does_not_name_the_path_leaves_it_to_the_function(route_key: str, stage: str) -> None:
    prefix = "" if stage == "$default" else "/prod"
    for path, expected in {
        "/meters": ("/meters", ""),
        "/meters/m%201": ("/meters/{meterId}", "m 1"),
        "/usage/m%201/records": ("/usage/{meterId}/records", "m 1"),
        "/usage/m%201/other": ("", ""),
        "/openapi+json": ("", ""),
        "/meters/": ("", ""),
        "/reconciliations/r-1": ("/reconciliations/{id}", "r-1"),
        "/other": ("", ""),
        "/a/meters/m1": ("", ""),
    }.items():
        event = _build_event(route_key, prefix + path)
        event["requestContext"] = {"http": {"method": "GET"}, "stage": stage}
        request = read_request(event)
        assert (request.path, request.resource_id) == expected
