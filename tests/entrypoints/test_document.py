"""``GET /openapi.json``: the OpenAPI document of the API."""

import json

import pytest

from amberflo_workflows.entrypoints.api import DOCUMENT
from amberflo_workflows.local import tokens
from tests.entrypoints.calls import Api

pytestmark = pytest.mark.emulator


def test_the_document_is_served_without_an_execution(api: Api) -> None:
    response = api.call("GET", "openapi.json")
    assert (response.status, response.headers["Content-Type"]) == (200, "application/json")
    assert response.body == json.loads(DOCUMENT.read_text())
    assert response.headers["Cache-Control"] == "private, max-age=300"
    assert "x-execution-arn" not in response.headers


def test_the_document_requires_a_token_with_the_read_scope(api: Api) -> None:
    assert api.call("GET", "openapi.json", Authorization="").status == 401
    for scope, status in (("write", 403), ("read", 200)):
        token = tokens.fetch_access_token(api.system.emulator, api.system.outputs, tokens.SCOPES[scope])
        assert Api(api.system, token).call("GET", "openapi.json").status == status
