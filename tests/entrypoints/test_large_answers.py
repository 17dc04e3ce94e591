"""Answers that no state can carry, as the API's callers get them."""

import json
from typing import Any

import pytest
import requests

from amberflo_workflows.local.system import System
from tests.conftest import sandbox_of
from tests.entrypoints.calls import Api
from tests.workflows.runner import Runner

pytestmark = pytest.mark.emulator

LARGEST = 6 * 1024 * 1024
STATE_BYTES = 262_144
USAGE = "usage/any?meterApiName=api-calls"


def _answering(system: System, body: object) -> None:
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    sandbox_of(system).set_faults([{"kind": "status", "status": 200, "body": text}])


def _report_for(body_bytes: int, text: str = "x") -> dict[str, Any]:
    around = len(b'{"data":{"clientMeters":[],"made":""}}')
    return {"clientMeters": [], "made": text * ((body_bytes - around) // len(json.dumps(text)[1:-1]))}


def _left(system: System) -> list[str]:
    s3 = system.client("s3")
    names = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"] if "answers" in bucket["Name"].lower()]
    assert names
    return [item["Key"] for name in names for item in s3.list_objects_v2(Bucket=name).get("Contents", [])]


def _plain(api: Api, path: str) -> requests.Response:
    """A call of one who takes no compressed answer."""
    headers = {"Authorization": f"Bearer {api.token}", "Accept-Encoding": "identity"}
    return requests.get(api.system.api_endpoint + path, headers=headers, timeout=60)


def test_the_largest_report_arrives_whole_and_nothing_of_it_stays(system: System, api: Api) -> None:
    report = _report_for(LARGEST)
    _answering(system, report)
    answer = api.call("GET", USAGE)
    assert (answer.status, answer.headers["Content-Encoding"]) == (200, "gzip")
    assert answer.body == {"data": report}
    assert _left(system) == []
    sizes = Runner(system).payloads(answer.headers["x-execution-arn"])
    assert max(sizes) < 2_000


def test_one_byte_more_is_a_413(system: System, api: Api) -> None:
    _answering(system, _report_for(LARGEST + 1))
    answer = api.call("GET", USAGE)
    assert answer.status == 413
    assert "shorter range" in answer.body["message"]


def test_an_answer_that_a_state_can_just_carry_is_not_left_anywhere(system: System, api: Api) -> None:
    _answering(system, _report_for(240_000))
    answer = api.call("GET", USAGE)
    assert answer.status == 200
    assert 240_000 < max(Runner(system).payloads(answer.headers["x-execution-arn"])) <= STATE_BYTES


def test_who_takes_no_gzip_gets_text_as_far_as_a_lambda_can_answer_it(system: System, api: Api) -> None:
    # In the function's own answer each quote is escaped twice.
    for size, status in ((3_000_000, 200), (LARGEST, 413)):
        _answering(system, _report_for(size, '"'))
        answer = _plain(api, USAGE)
        assert (answer.status_code, answer.headers.get("Content-Encoding")) == (status, None)
        assert ("--compressed" in answer.text) == (status == 413)
        assert ":execution:" in answer.headers["x-execution-arn"]
    assert api.call("GET", USAGE).status == 200


def test_a_long_list_of_meters_is_one_answer(system: System, api: Api) -> None:
    meters = [{"id": f"id-{n}", "meterApiName": f"meter-{n:05}", "description": "d" * 300} for n in range(5_000)]
    _answering(system, meters)
    answer = api.call("GET", "meters")
    assert (answer.status, answer.body) == (200, {"data": meters, "next_token": None})
    assert _left(system) == []
    assert len(api.call("GET", "meters?limit=3").body["data"]) == 3


def test_the_largest_change_of_the_largest_meter_fits_through_every_state(system: System, api: Api) -> None:
    runner = Runner(system)
    description = "\U0001f600" * 8_000
    meter = {"label": "m", "meterApiName": "m", "meterType": "sum_of_all_usage", "description": description}
    created = api.call("POST", "meters", json.dumps(meter, ensure_ascii=False).encode())
    assert created.status == 201
    change = json.dumps({"description": description[::-1], "unit": "u"}, ensure_ascii=False).encode()
    changed = api.call("PUT", f"meters/{created.body['data']['id']}", change)
    assert (changed.status, changed.body["data"]["unit"]) == (200, "u")
    for answer in (created, changed):
        assert 90_000 < max(runner.payloads(answer.headers["x-execution-arn"], escaped=True)) <= STATE_BYTES
    too_large = json.dumps({"description": "x" * 100_000})
    assert api.call("PUT", f"meters/{created.body['data']['id']}", too_large).status == 413
