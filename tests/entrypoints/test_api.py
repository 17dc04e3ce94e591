import base64
import json
import time
from typing import Any

import pytest

from amberflo_workflows.local.deploy import put_secret
from amberflo_workflows.local.system import SECRET
from tests.conftest import sandbox_of
from tests.entrypoints.calls import METER, Api, created

pytestmark = pytest.mark.emulator

WINDOW = {"startTimeInSeconds": 1, "endTimeInSeconds": 2}
ROUTES = [
    ("POST", "meters", METER),
    ("GET", "meters", None),
    ("GET", "meters/{id}", None),
    ("PUT", "meters/{id}", {"label": "new"}),
    ("DELETE", "meters/{id}", None),
    ("GET", "usage/{id}?meterApiName=api-calls", None),
    ("DELETE", "usage", {"id": "r", "meterApiName": "api-calls", "ingestionTimeRange": WINDOW}),
    ("POST", "ingest", {"tenantId": "t", "meterApiName": "api-calls", "meterValue": 1}),
]
every_route = pytest.mark.parametrize(("method", "path", "body"), ROUTES, ids=lambda part: str(part)[:20])


def _with_id(api: Api, path: str) -> str:
    return path.replace("{id}", created(api)["id"]) if "{id}" in path else path


def test_the_npm_packages_calls_work_unchanged(api: Api) -> None:
    meter = created(api)
    meter_id, now = meter["id"], int(time.time())
    assert METER.items() <= meter.items()
    assert api.call("GET", "meters").body == {"data": [meter], "next_token": None}
    assert api.call("GET", f"meters/{meter_id}").body == {"data": meter}
    changed = {**METER, "label": "Calls"}
    assert api.call("PUT", f"meters/{meter_id}", changed).body["data"]["label"] == "Calls"

    ingested = api.call(
        "POST", "ingest", {"tenantId": "t1", "meterApiName": "api-calls", "meterValue": 3, "region": "eu"}
    )
    assert (ingested.status, ingested.body["data"]["accepted"]) == (200, 1)

    query = f"meterApiName=api-calls&startTimeInSeconds={now - 3600}&endTimeInSeconds={now + 60}"
    for path in (f"usage/{meter_id}?{query}", f"usage/{meter_id}"):
        answer = api.call("GET", path)
        assert answer.status == 200
        assert answer.body["data"]["clientMeters"][0]["groupValue"] == 3

    window = {"startTimeInSeconds": now - 5, "endTimeInSeconds": now + 60}
    rule = {"id": "sbt-filtering-rule", "meterApiName": "api-calls", "ingestionTimeRange": window}
    cancelled = api.call("DELETE", "usage", rule)
    assert (cancelled.status, cancelled.body["data"]["id"]) == (200, "sbt-filtering-rule")
    assert api.call("GET", f"usage/{meter_id}").body["data"]["clientMeters"][0]["groupValue"] == 0
    assert api.call("DELETE", f"meters/{meter_id}").status == 200
    assert api.call("GET", f"meters/{meter_id}").status == 404


@every_route
def test_every_route_names_its_execution(api: Api, method: str, path: str, body: Any) -> None:
    answer = api.call(method, _with_id(api, path), body)
    assert answer.status in {200, 201}
    assert ":execution:" in answer.headers["x-execution-arn"]
    assert answer.headers["Content-Type"] == "application/json"


@every_route
def test_no_route_is_open_without_a_good_token(api: Api, method: str, path: str, body: Any) -> None:
    def part(claims: dict[str, str]) -> str:
        return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")

    unsigned = f"{part({'alg': 'none'})}.{part({'client_id': api.system.outputs['UserPoolClientId']})}."
    for token in ("", "Bearer garbage", f"Bearer {unsigned}", f"Bearer {api.token[:-4]}AAAA"):
        answer = api.call(method, path.replace("{id}", "x"), body, Authorization=token)
        assert answer.status == 401, token
        assert "x-execution-arn" not in answer.headers


def test_a_lasting_throttle_is_a_503_that_says_when_to_come_back(api: Api) -> None:
    sandbox_of(api.system).set_faults([{"kind": "status", "status": 429}])
    answer = api.call("GET", "meters")
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.body == {"statusCode": 503, "message": "Amberflo is throttling (429)."}


def test_an_amberflo_that_is_down_is_a_502(api: Api) -> None:
    sandbox_of(api.system).set_faults([{"kind": "drop"}])
    answer = api.call("GET", "meters")
    assert answer.status == 502
    assert answer.body["message"] == "No response from Amberflo (ConnectionError)."
    assert ":execution:" in answer.headers["x-execution-arn"]


@pytest.mark.parametrize(
    ("secret", "reason"),
    [({"other": "x"}, "has no text in its field 'apiKey'"), ({"apiKey": ""}, "has no text in its field 'apiKey'")],
)
def test_a_secret_without_a_key_is_a_502_that_says_so_each_time_and_heals(
    api: Api, secret: dict[str, str], reason: str
) -> None:
    key = f"key-{time.time()}"
    put_secret(api.system.emulator, SECRET, secret)
    sandbox_of(api.system).set_keys([key])
    for _ in range(2):
        answer = api.call("GET", "meters")
        assert answer.status == 502
        assert reason in answer.body["message"]
    put_secret(api.system.emulator, SECRET, {"apiKey": key})
    assert api.call("GET", "meters").status == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "meters", {}, "label"),
        ("POST", "meters", {**METER, "meterType": "sum"}, "meterType"),
        ("POST", "meters", {**METER, "meterApiName": 5}, "meterApiName"),
        ("PUT", "meters/{id}", {"id": "another"}, "id"),
        ("PUT", "meters/{id}", {"lockingStatus": "shut"}, "lockingStatus"),
        ("GET", "meters?limit=none", None, "limit"),
        ("GET", "usage/{id}?startTimeInSeconds=today", None, "startTimeInSeconds"),
        ("GET", "usage/{id}?startTimeInSeconds=20&endTimeInSeconds=10", None, "startTimeInSeconds"),
        ("GET", "usage/{id}?timeGroupingInterval=YEAR", None, "timeGroupingInterval"),
        ("GET", "usage/{id}?meterapiname=x", None, "meterapiname"),
        ("DELETE", "usage", {"id": "r", "meterApiName": "api-calls"}, "ingestionTimeRange"),
    ],
)
def test_a_wrong_request_is_a_400_that_names_the_field(api: Api, method: str, path: str, body: Any, field: str) -> None:
    answer = api.call(method, _with_id(api, path), body)
    assert (answer.status, answer.body["statusCode"]) == (400, 400)
    assert [detail["field"] for detail in answer.body["details"]] == [field]
    assert field in answer.body["message"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"5", b'"text"', b"null", b"\xff\xfe", b'{"a": NaN}', b"[" * 100_000]
)
def test_a_body_that_is_no_json_object_is_a_400(api: Api, body: bytes) -> None:
    for method, path in (("POST", "meters"), ("POST", "ingest"), ("DELETE", "usage")):
        answer = api.call(method, path, body)
        assert (answer.status, answer.body["statusCode"]) == (400, 400), answer
        assert "body" in answer.body["message"]


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "meters"), ("PUT", "meters/x"), ("DELETE", "usage"), ("POST", "ingest")]
)
def test_a_body_too_large_for_a_workflow_is_a_413(api: Api, method: str, path: str) -> None:
    answer = api.call(method, path, {"label": "x" * 300_000})
    assert answer.status == 413
    assert "300,013 bytes" in answer.body["message"]


@pytest.mark.parametrize(("size", "status"), [(258_048, 400), (258_049, 413)])
def test_a_body_reaches_the_workflow_up_to_the_last_byte_that_can_be_carried(api: Api, size: int, status: int) -> None:
    body = '{"é": "' + "x" * (size - 10) + '"}'
    answer = api.call("DELETE", "usage", body.encode())
    assert (answer.status, "x-execution-arn" in answer.headers) == (status, status == 400)


@pytest.mark.parametrize("taken", [{"label": "other"}, {"meterApiName": "other"}])
def test_what_is_taken_is_a_409(api: Api, taken: dict[str, str]) -> None:
    created(api)
    assert api.call("POST", "meters", {**METER, **taken}).status == 409


def test_a_lock_that_forbids_the_change_is_a_409(api: Api) -> None:
    meter_id = created(api)["id"]
    assert api.call("PUT", f"meters/{meter_id}", {"lockingStatus": "close_to_changes"}).status == 200
    assert api.call("PUT", f"meters/{meter_id}", {"meterApiName": "renamed"}).status == 409
    assert api.call("PUT", f"meters/{meter_id}", {"lockingStatus": "open"}).status == 409


@pytest.mark.parametrize("meter_id", ["unknown", "a%20b", "a%3Fb%23c", "api-calls"])
def test_an_id_that_is_none_is_a_404(api: Api, meter_id: str) -> None:
    created(api)
    for method, body in (("GET", None), ("PUT", {"label": "x"}), ("DELETE", None)):
        assert api.call(method, f"meters/{meter_id}", body).status == 404


def test_pages_are_walked_by_their_token(api: Api) -> None:
    for name in ("a", "b", "c"):
        api.call("POST", "meters", {**METER, "label": name, "meterApiName": name})
    first = api.call("GET", "meters?limit=2").body
    second = api.call("GET", f"meters?limit=2&next_token={first['next_token']}").body
    names = [meter["meterApiName"] for meter in first["data"] + second["data"]]
    assert (names, second["next_token"]) == (["a", "b", "c"], None)


def test_no_error_answer_shows_a_stack_trace_or_the_key(api: Api) -> None:
    sandbox_of(api.system).set_faults([{"kind": "garbage"}])
    answer = api.call("GET", "meters")
    assert answer.status == 502
    assert set(answer.body) == {"statusCode", "message"}
    assert "Traceback" not in str(answer.body)
    assert ".py" not in str(answer.body)
