"""``GET /openapi.json``: the API describes itself, to those who may read."""

import json

import pytest

from amberflo_workflows.entrypoints.api import DOCUMENT
from amberflo_workflows.local import tokens
from tests.entrypoints.calls import Api

pytestmark = pytest.mark.emulator


def test_the_document_is_served_without_an_execution(api: Api) -> None:
    answer = api.call("GET", "openapi.json")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.body == json.loads(DOCUMENT.read_text())
    assert answer.headers["Cache-Control"] == "private, max-age=300"
    assert "x-execution-arn" not in answer.headers


def test_it_takes_a_token_and_where_scopes_are_asked_for_the_one_for_reading(api: Api) -> None:
    assert api.call("GET", "openapi.json", Authorization="").status == 401
    for scope, status in (("write", 403), ("read", 200)):
        token = tokens.access_token(api.system.emulator, api.system.outputs, tokens.SCOPES[scope])
        assert Api(api.system, token).call("GET", "openapi.json").status == status
