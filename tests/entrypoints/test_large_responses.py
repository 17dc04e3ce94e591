"""Responses that are too large for a state, as a caller of the API receives them."""

import json
from typing import Any

import pytest
import requests

from amberflo_workflows.local.system import System
from tests.conftest import sandbox_of
from tests.entrypoints.calls import Api, create_meter
from tests.workflows.runner import Runner

pytestmark = pytest.mark.emulator

MAX_BODY_BYTES = 6 * 1024 * 1024
STATE_BYTES = 262_144


@pytest.fixture
def usage_path(api: Api) -> str:
    return f"usage/{create_meter(api)['id']}?meterApiName=api-calls"


def _set_response(system: System, body: object, path: str = "/usage*") -> None:
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    sandbox_of(system).set_faults([{"kind": "status", "status": 200, "body": text, "path": path}])


def _build_report(body_bytes: int, text: str = "x") -> dict[str, Any]:
    envelope = len(b'{"data":{"clientMeters":[],"note":""}}')
    return {"clientMeters": [], "note": text * ((body_bytes - envelope) // len(json.dumps(text)[1:-1]))}


def _stored_keys(system: System) -> list[str]:
    s3 = system.client("s3")
    names = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"] if "answers" in bucket["Name"].lower()]
    assert names
    return [item["Key"] for name in names for item in s3.list_objects_v2(Bucket=name).get("Contents", [])]


def _call_without_gzip(api: Api, path: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {api.token}", "Accept-Encoding": "identity"}
    return requests.get(api.system.api_endpoint + path, headers=headers, timeout=60)


def test_a_report_of_the_maximum_size_is_returned_and_deleted(system: System, api: Api, usage_path: str) -> None:
    report = _build_report(MAX_BODY_BYTES)
    _set_response(system, report)
    response = api.call("GET", usage_path)
    assert (response.status, response.headers["Content-Encoding"]) == (200, "gzip")
    assert response.body == {"data": report}
    assert _stored_keys(system) == []
    sizes = Runner(system).payloads(response.headers["x-execution-arn"])
    assert max(sizes) < 2_000


def test_a_report_above_the_maximum_size_is_a_413(system: System, api: Api, usage_path: str) -> None:
    _set_response(system, _build_report(MAX_BODY_BYTES + 1))
    response = api.call("GET", usage_path)
    assert response.status == 413
    assert "shorter range" in response.body["message"]


def test_a_response_that_fits_into_a_state_is_returned_from_it(system: System, api: Api, usage_path: str) -> None:
    _set_response(system, _build_report(240_000))
    response = api.call("GET", usage_path)
    assert response.status == 200
    assert 240_000 < max(Runner(system).payloads(response.headers["x-execution-arn"])) <= STATE_BYTES


def test_without_gzip_a_response_is_text_up_to_the_limit_of_lambda(system: System, api: Api, usage_path: str) -> None:
    # Each quotation mark is escaped twice in the function's response.
    for size, status in ((3_000_000, 200), (MAX_BODY_BYTES, 413)):
        _set_response(system, _build_report(size, '"'))
        response = _call_without_gzip(api, usage_path)
        assert (response.status_code, response.headers.get("Content-Encoding")) == (status, None)
        assert ("--compressed" in response.text) == (status == 413)
        assert ":execution:" in response.headers["x-execution-arn"]
    assert api.call("GET", usage_path).status == 200


def test_a_long_list_of_meters_is_one_response(system: System, api: Api) -> None:
    meters = [{"id": f"id-{n}", "meterApiName": f"meter-{n:05}", "description": "d" * 300} for n in range(5_000)]
    _set_response(system, meters, "/meters")
    response = api.call("GET", "meters")
    assert (response.status, response.body) == (200, {"data": meters, "next_token": None})
    assert _stored_keys(system) == []
    assert len(api.call("GET", "meters?limit=3").body["data"]) == 3


def test_without_gzip_a_long_list_of_meters_is_several_pages(system: System, api: Api) -> None:
    # Of texts that are escaped twice in the function's response.
    meters = [{"id": f"id-{n}", "meterApiName": f"meter-{n:05}", "description": '"' * 3_000} for n in range(1_200)]
    _set_response(system, meters, "/meters")
    names: list[str] = []
    token: str | None = ""
    while token is not None and len(names) < len(meters):
        response = _call_without_gzip(api, f"meters?next_token={token}")
        assert response.status_code == 200, response.text[:200]
        names += [meter["meterApiName"] for meter in response.json()["data"]]
        token = response.json()["next_token"]
    assert (names, token) == ([meter["meterApiName"] for meter in meters], None)


def test_the_largest_change_of_the_largest_meter_fits_into_every_state(system: System, api: Api) -> None:
    runner = Runner(system)
    description = "\U0001f600" * 8_000
    meter = {"label": "m", "meterApiName": "m", "meterType": "sum_of_all_usage", "description": description}
    created = api.call("POST", "meters", json.dumps(meter, ensure_ascii=False).encode())
    assert created.status == 201
    change = json.dumps({"description": description[::-1], "unit": "u"}, ensure_ascii=False).encode()
    changed = api.call("PUT", f"meters/{created.body['data']['id']}", change)
    assert (changed.status, changed.body["data"]["unit"]) == (200, "u")
    for response in (created, changed):
        assert 90_000 < max(runner.payloads(response.headers["x-execution-arn"], escaped=True)) <= STATE_BYTES
    too_large = json.dumps({"description": "x" * 100_000})
    assert api.call("PUT", f"meters/{created.body['data']['id']}", too_large).status == 413
