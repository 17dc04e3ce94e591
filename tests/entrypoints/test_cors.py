"""A page of another origin calls the deployed API, as its browser does: first whether it may, then the call."""

from collections.abc import Iterator

import pytest
import requests

from amberflo_workflows.infra.node import use_packaged_node
from amberflo_workflows.local.system import System
from tests.entrypoints.calls import Api

use_packaged_node()

from amberflo_workflows.infra.api import build_cors_options  # noqa: E402 - needs use_packaged_node first

pytestmark = pytest.mark.emulator

ORIGIN = "https://app.example.com"


@pytest.fixture
def api(system: System) -> Iterator[Api]:
    """The shared system's API with the setting, which it does not have by default."""
    options, gateway = build_cors_options([ORIGIN]), system.client("apigatewayv2")
    configuration = {
        "AllowOrigins": options.allow_origins,
        "AllowMethods": [method.value for method in options.allow_methods or []],
        "AllowHeaders": options.allow_headers,
        "ExposeHeaders": options.expose_headers,
    }
    gateway.update_api(ApiId=system.outputs["HttpApiId"], CorsConfiguration=configuration)
    yield Api(system)
    gateway.delete_cors_configuration(ApiId=system.outputs["HttpApiId"])


def _ask(api: Api, origin: str) -> requests.Response:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "DELETE",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    return requests.options(f"{api.system.api_endpoint}usage", headers=headers, timeout=30)


def test_a_page_may_call_the_api_and_read_the_response(api: Api) -> None:
    # A browser asks without a token.
    response = _ask(api, ORIGIN)
    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "DELETE" in response.headers["Access-Control-Allow-Methods"].split(",")
    assert {"authorization", "content-type"} <= set(response.headers["Access-Control-Allow-Headers"].split(","))
    call = api.call("GET", "meters", Origin=ORIGIN)
    assert (call.status, call.headers["Access-Control-Allow-Origin"]) == (200, ORIGIN)
    exposed = {name.lower() for name in call.headers["Access-Control-Expose-Headers"].split(",")}
    assert exposed & {name.lower() for name in call.headers} == {"x-execution-arn"}


def test_a_page_of_another_origin_may_not(api: Api) -> None:
    assert "Access-Control-Allow-Origin" not in _ask(api, "https://other.example.com").headers
    call = api.call("GET", "meters", Origin="https://other.example.com")
    assert "Access-Control-Allow-Origin" not in call.headers
