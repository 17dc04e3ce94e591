import base64
import json
import time
from typing import Any

import pytest

from amberflo_workflows.local.deploy import put_secret
from amberflo_workflows.local.system import SECRET
from tests.conftest import sandbox_of
from tests.entrypoints.calls import METER, Api, create_meter

pytestmark = pytest.mark.emulator

WINDOW = {"startTimeInSeconds": 1, "endTimeInSeconds": 2}
ROUTES = [
    ("POST", "meters", METER),
    ("GET", "meters", None),
    ("GET", "meters/{id}", None),
    ("PUT", "meters/{id}", {"label": "new"}),
    ("DELETE", "meters/{id}", None),
    ("GET", "customers", None),
    ("GET", "usage?tenantId=t", None),
    ("GET", "usage/{id}?meterApiName=api-calls", None),
    ("GET", "usage/{id}/records?tenantId=t&startTimeInSeconds=0&endTimeInSeconds=1", None),
    ("DELETE", "usage", {"id": "r", "meterApiName": "api-calls", "ingestionTimeRange": WINDOW}),
    ("POST", "ingest", {"tenantId": "t", "meterApiName": "api-calls", "meterValue": 1}),
]
every_route = pytest.mark.parametrize(("method", "path", "body"), ROUTES, ids=lambda part: str(part)[:20])


def _insert_id(api: Api, path: str) -> str:
    return path.replace("{id}", create_meter(api)["id"]) if "{id}" in path else path


def test_calls_of_the_npm_package_work(api: Api) -> None:
    meter = create_meter(api)
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
        response = api.call("GET", path)
        assert response.status == 200
        assert response.body["data"]["clientMeters"][0]["groupValue"] == 3

    window = {"startTimeInSeconds": now - 5, "endTimeInSeconds": now + 60}
    rule = {"id": "sbt-filtering-rule", "meterApiName": "api-calls", "ingestionTimeRange": window, "allowFuture": True}
    cancelled = api.call("DELETE", "usage", rule)
    assert (cancelled.status, cancelled.body["data"]["id"]) == (200, "sbt-filtering-rule")
    assert api.call("GET", f"usage/{meter_id}").body["data"]["clientMeters"][0]["groupValue"] == 0
    assert api.call("DELETE", f"meters/{meter_id}").status == 200
    assert api.call("GET", f"meters/{meter_id}").status == 404


@every_route
def test_every_response_names_its_execution(api: Api, method: str, path: str, body: Any) -> None:
    if path == "usage":
        # A rule requires its meter.
        create_meter(api)
    response = api.call(method, _insert_id(api, path), body)
    assert response.status in {200, 201}
    assert ":execution:" in response.headers["x-execution-arn"]
    assert response.headers["Content-Type"] == "application/json"


@every_route
def test_every_route_rejects_an_invalid_token(api: Api, method: str, path: str, body: Any) -> None:
    def encode(claims: dict[str, str]) -> str:
        return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")

    unsigned = f"{encode({'alg': 'none'})}.{encode({'client_id': api.system.outputs['UserPoolClientId']})}."
    for token in ("", "Bearer garbage", f"Bearer {unsigned}", f"Bearer {api.token[:-4]}AAAA"):
        response = api.call(method, path.replace("{id}", "x"), body, Authorization=token)
        assert response.status == 401, token
        assert "x-execution-arn" not in response.headers


def test_throttling_is_a_503_with_retry_after(api: Api) -> None:
    sandbox_of(api.system).set_faults([{"kind": "status", "status": 429}])
    response = api.call("GET", "meters")
    assert response.status == 503
    assert int(response.headers["Retry-After"]) > 0
    assert response.body == {"statusCode": 503, "message": "Amberflo is throttling (429)."}


def test_an_outage_of_amberflo_is_a_502(api: Api) -> None:
    sandbox_of(api.system).set_faults([{"kind": "drop"}])
    response = api.call("GET", "meters")
    assert response.status == 502
    assert response.body["message"] == "No response from Amberflo (RemoteDisconnected)."
    assert ":execution:" in response.headers["x-execution-arn"]


@pytest.mark.parametrize(
    ("secret", "reason"),
    [({"other": "x"}, "has no text in its field 'apiKey'"), ({"apiKey": ""}, "has no text in its field 'apiKey'")],
)
def test_a_secret_without_a_key_is_a_502_until_it_is_fixed(api: Api, secret: dict[str, str], reason: str) -> None:
    key = f"key-{time.time()}"
    put_secret(api.system.emulator, SECRET, secret)
    sandbox_of(api.system).set_keys([key])
    for _ in range(2):
        response = api.call("GET", "meters")
        assert response.status == 502
        assert reason in response.body["message"]
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
        ("GET", "usage?tenantId=", None, "tenantId"),
        ("GET", "usage?groupBy=region", None, "groupBy"),
        ("GET", "usage/{id}?startTimeInSeconds=today", None, "startTimeInSeconds"),
        ("GET", "usage/{id}?startTimeInSeconds=20&endTimeInSeconds=10", None, "startTimeInSeconds"),
        ("GET", "usage/{id}?timeGroupingInterval=YEAR", None, "timeGroupingInterval"),
        ("GET", "usage/{id}?meterapiname=x", None, "meterapiname"),
        ("DELETE", "usage", {"id": "r", "meterApiName": "api-calls"}, "ingestionTimeRange"),
    ],
)
def test_an_invalid_request_is_a_400_that_names_the_field(
    api: Api, method: str, path: str, body: Any, field: str
) -> None:
    response = api.call(method, _insert_id(api, path), body)
    assert (response.status, response.body["statusCode"]) == (400, 400)
    assert [detail["field"] for detail in response.body["details"]] == [field]
    assert field in response.body["message"]


@pytest.fixture
def usage_path(api: Api) -> str:
    """The path of a meter's usage: 1 of ``Acme`` in eu, 10 of ``Inc.`` in us, 100 of ``Acme, Inc.`` in ``eu,us``."""
    meter = api.call("POST", "meters", {**METER, "dimensions": ["region"]}).body["data"]
    usages = [
        {"tenantId": tenant, "meterApiName": "api-calls", "meterValue": value, "region": region}
        for tenant, value, region in (("Acme", 1, "eu"), ("Inc.", 10, "us"), ("Acme, Inc.", 100, "eu,us"))
    ]
    assert api.call("POST", "ingest", {"records": usages}).body["data"]["accepted"] == 3
    return f"usage/{meter['id']}"


@pytest.mark.parametrize(
    ("query", "totals"),
    [
        ("", [111]),
        ("tenantId=Acme,+Inc.", [100]),
        ("tenantId=Acme%2C%20Inc.", [100]),
        ("tenantId=Acme&tenantId=Inc.", [11]),
        ("filter.customerId=Acme, Inc.&filter.customerId=Inc.", [110]),
        ("filter.region=eu,us", [100]),
        ("filter.region=eu&filter.region=us", [11]),
        ("filter.region=eu&filter.region=us&tenantId=Inc.", [10]),
        ("groupBy=customerId,region", [100, 10, 1]),
        ("groupBy=customerId&groupBy=region", [100, 10, 1]),
        ("groupBy=customerId,region&groupBy=&meterApiName=&aggregation=", [100, 10, 1]),
    ],
)
def test_a_usage_query_returns_only_what_matches(api: Api, usage_path: str, query: str, totals: list[int]) -> None:
    response = api.call("GET", f"{usage_path}?{query}")
    assert response.status == 200, response
    assert [group["groupValue"] for group in response.body["data"]["clientMeters"]] == totals


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("tenantId=", "tenantId"),
        ("tenantId", "tenantId"),
        ("tenantId=%20", "tenantId"),
        ("tenantId=Acme&tenantId=", "tenantId"),
        ("filter.region=", "filter.region"),
        ("filter.customerId=+", "filter.customerId"),
        ("filter.=", "filter"),
        ("tenant=", "tenant"),
        ("startTimeInSeconds=", "startTimeInSeconds"),
        ("endTimeInSeconds=", "endTimeInSeconds"),
        ("take=", "take"),
        ("take=1&take=2", "take"),
        ("meterApiName=a&meterApiName=b", "meterApiName"),
    ],
)
def test_an_empty_or_repeated_parameter_never_widens_a_usage_query(
    api: Api, usage_path: str, query: str, field: str
) -> None:
    response = api.call("GET", f"{usage_path}?{query}")
    assert (response.status, [detail["field"] for detail in response.body["details"]]) == (400, [field])
    assert field in response.body["message"]


def test_a_repeated_parameter_is_a_list_in_the_input_of_the_execution(api: Api, usage_path: str) -> None:
    response = api.call("GET", f"{usage_path}?tenantId=a,b&tenantId=c&groupBy=customerId")
    client = api.system.client("stepfunctions")
    execution = client.describe_execution(executionArn=response.headers["x-execution-arn"])
    meter_id = usage_path.removeprefix("usage/")
    expected = {"tenantId": ["a,b", "c"], "groupBy": "customerId", "meterId": meter_id}
    assert json.loads(execution["input"]) == expected


def test_an_empty_page_size_is_the_default(api: Api) -> None:
    create_meter(api)
    assert len(api.call("GET", "meters?limit=&next_token=").body["data"]) == 1
    assert api.call("GET", "meters?limit=1&limit=2").status == 400


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"5", b'"text"', b"null", b"\xff\xfe", b'{"a": NaN}', b"[" * 100_000]
)
def test_a_body_that_is_not_a_json_object_is_a_400(api: Api, body: bytes) -> None:
    for method, path in (("POST", "meters"), ("POST", "ingest"), ("DELETE", "usage")):
        response = api.call(method, path, body)
        assert (response.status, response.body["statusCode"]) == (400, 400), response
        assert "body" in response.body["message"]


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "meters"), ("PUT", "meters/x"), ("DELETE", "usage"), ("POST", "ingest")]
)
def test_a_body_too_large_for_a_workflow_is_a_413(api: Api, method: str, path: str) -> None:
    response = api.call(method, path, {"label": "x" * 300_000})
    assert response.status == 413
    assert "300,013 bytes" in response.body["message"]


@pytest.mark.parametrize(("size", "status"), [(258_048, 400), (258_049, 413)])
def test_a_body_of_the_maximum_size_reaches_the_workflow(api: Api, size: int, status: int) -> None:
    body = '{"é": "' + "x" * (size - 10) + '"}'
    response = api.call("DELETE", "usage", body.encode())
    assert (response.status, "x-execution-arn" in response.headers) == (status, status == 400)


@pytest.mark.parametrize("taken", [{"label": "other"}, {"meterApiName": "other"}])
def test_a_name_or_label_that_is_taken_is_a_409(api: Api, taken: dict[str, str]) -> None:
    create_meter(api)
    assert api.call("POST", "meters", {**METER, **taken}).status == 409


def test_a_change_that_the_lock_forbids_is_a_409(api: Api) -> None:
    meter_id = create_meter(api)["id"]
    assert api.call("PUT", f"meters/{meter_id}", {"lockingStatus": "close_to_changes"}).status == 200
    assert api.call("PUT", f"meters/{meter_id}", {"meterApiName": "renamed"}).status == 409
    assert api.call("PUT", f"meters/{meter_id}", {"lockingStatus": "open"}).status == 409


@pytest.mark.parametrize("meter_id", ["unknown", "a%20b", "a%3Fb%23c", "api-calls"])
def test_an_unknown_id_is_a_404(api: Api, meter_id: str) -> None:
    create_meter(api)
    for method, body in (("GET", None), ("PUT", {"label": "x"}), ("DELETE", None)):
        assert api.call(method, f"meters/{meter_id}", body).status == 404


def test_pages_follow_by_their_token(api: Api) -> None:
    for name in ("a", "b", "c"):
        api.call("POST", "meters", {**METER, "label": name, "meterApiName": name})
    first = api.call("GET", "meters?limit=2").body
    second = api.call("GET", f"meters?limit=2&next_token={first['next_token']}").body
    names = [meter["meterApiName"] for meter in first["data"] + second["data"]]
    assert (names, second["next_token"]) == (["a", "b", "c"], None)


def test_an_error_response_has_no_stack_trace(api: Api) -> None:
    sandbox_of(api.system).set_faults([{"kind": "garbage"}])
    response = api.call("GET", "meters")
    assert response.status == 502
    assert set(response.body) == {"statusCode", "message"}
    assert "Traceback" not in str(response.body)
    assert ".py" not in str(response.body)
