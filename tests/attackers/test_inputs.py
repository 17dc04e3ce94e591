"""Hostile input: ids with path traversal, headers with line breaks, JSON with duplicate members or deep nesting."""

import http.client
import json
import re
import time
import urllib.parse
import uuid
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.local.system import System
from tests.attackers.deliveries import deliver, event, rejected_usages, usage
from tests.cli.metering import Metering
from tests.conftest import sandbox_of
from tests.entrypoints.calls import METER, Api
from tests.workflows.runner import Runner

pytestmark = [pytest.mark.emulator, pytest.mark.meters("api-calls", "m")]

TRAVERSAL_IDS = [
    "../customers",
    "../../customers",
    "..\\customers",
    "%2e%2e/customers",
    "%252e%252e%252fcustomers",
    "//evil.example/x",
    "/",
    "a\0b",
    "a;b",
    "a?b=c",
    "a#b",
    "a\r\nX-Injected: yes",
    "…",
]
# The same ids in the path of an HTTP request. The gateway matches some of them to no route.
TRAVERSAL_PATHS = [
    *(urllib.parse.quote(meter_id, safe="") for meter_id in TRAVERSAL_IDS),
    "..%2f..%2fcustomers",
    "..;/customers",
]
UNPRINTABLE_KEYS = {
    "header-injection": "a\r\nX-Injected: yes",
    "line-feed": "a\nb",
    "nul": "\0",
    "next-line": "\x85",
    "line-separator": "\u2028",
    "escape-sequence": "\x1b[31m",
    "right-to-left-override": "\u202e",
}
# Each usage with the member that its error message names.
DUPLICATES = {
    "adjacent": ('{"tenantId": "a", "tenantId": "b", "meterApiName": "m", "meterValue": 1}', "tenantId"),
    "same-value": ('{"tenantId": "a", "meterApiName": "m", "meterValue": 1, "meterValue": 1}', "meterValue"),
    "escaped": ('{"tenantId": "a", "tenant\\u0049d": "b", "meterApiName": "m", "meterValue": 1}', "tenantId"),
    "three-times": ('{"tenantId": "a", "meterApiName": "m", "meterValue": 1, "x": 1, "x": 2, "x": 3}', "x"),
    "within-dimensions": (
        '{"tenantId": "a", "meterApiName": "m", "meterValue": 1, "dimensions": {"x": 1, "x": 2}}',
        "x",
    ),
    "dimensions": (
        '{"tenantId": "a", "meterApiName": "m", "meterValue": 1, "dimensions": {}, "dimensions": {}}',
        "dimensions",
    ),
}
each_duplicate = pytest.mark.parametrize(("text", "member"), DUPLICATES.values(), ids=DUPLICATES.keys())


def _received_paths(system: System) -> list[str]:
    return [request["path"] for request in sandbox_of(system).requests()["recent"]]


def _get(system: System, path: str) -> http.client.HTTPResponse:
    """Send ``path`` unchanged: ``requests`` would normalise it first."""
    endpoint = urllib.parse.urlsplit(system.api_endpoint)
    connection = http.client.HTTPConnection(str(endpoint.hostname), endpoint.port, timeout=60)
    connection.request("GET", endpoint.path + path, headers={"Authorization": f"Bearer {system.access_token}"})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


def test_an_id_is_sent_to_amberflo_as_one_escaped_path_segment(system: System) -> None:
    for meter_id in TRAVERSAL_IDS:
        output = Runner(system, endpoint=None).run("get_meter", {"meterId": meter_id}).output
        assert output["statusCode"] == 404, meter_id
    expected = [f"/meters/{urllib.parse.quote(meter_id, safe='')}" for meter_id in TRAVERSAL_IDS]
    assert _received_paths(system) == expected


def test_an_id_of_only_dots_is_rejected_before_any_call(system: System) -> None:
    for workflow in ("get_meter", "update_meter", "delete_meter", "fetch_usage", "list_records"):
        output = Runner(system, endpoint=None).run(workflow, {"meterId": "..", "label": "x"}).output
        assert output["statusCode"] == 400, workflow
    for meter_id in (".", "..", "%2e%2e", "..."):
        assert _get(system, f"meters/{meter_id}").status == 400, meter_id
    assert _received_paths(system) == []


def test_a_path_over_http_reaches_one_meter_or_none(system: System) -> None:
    for path in TRAVERSAL_PATHS:
        response = _get(system, f"meters/{path}")
        assert response.status == 404, path
        assert response.getheader("X-Injected") is None
        assert re.fullmatch(r"[\w:.-]*", response.getheader("x-execution-arn", ""))
    received = _received_paths(system)
    assert received
    assert [path for path in received if not re.fullmatch(r"/meters/[^/?#;\\]+", path)] == []


@pytest.mark.parametrize("key", UNPRINTABLE_KEYS.values(), ids=UNPRINTABLE_KEYS.keys())
def test_rejects_an_idempotency_key_with_unprintable_characters(system: System, key: str) -> None:
    # HTTP clients and servers reject these headers themselves, so the test invokes the function directly.
    (name,) = [
        function["FunctionName"]
        for page in system.client("lambda").get_paginator("list_functions").paginate()
        for function in page["Functions"]
        if function["Handler"].endswith("entrypoints.api.handler") and function["FunctionName"].startswith(system.stack)
    ]
    context = {"http": {"method": "POST", "path": "/ingest"}, "requestId": "r", "stage": "$default"}
    request = {
        "version": "2.0",
        "routeKey": "POST /ingest",
        "rawPath": "/ingest",
        "requestContext": context,
        "headers": {"idempotency-key": key},
        "body": usage(),
        "isBase64Encoded": False,
    }
    result = system.client("lambda").invoke(FunctionName=name, Payload=json.dumps(request))
    response = json.loads(result["Payload"].read())
    assert (response["statusCode"], response["headers"]) == (400, {"Content-Type": "application/json"})
    assert sandbox_of(system).requests()["total"] == 0


@each_duplicate
def test_rejects_a_body_with_a_duplicate_member(system: System, text: str, member: str) -> None:
    for body in (text, f'{{"records": [{usage()}, {text}]}}'):
        response = Api(system).call("POST", "ingest", body)
        assert response.status == 400
        assert f"'{member}'" in response.body["message"]
    assert sandbox_of(system).requests()["total"] == 0


def test_rejects_a_meter_with_a_duplicate_member(system: System) -> None:
    body = json.dumps(METER)[:-1] + ', "meter\\u0054ype": "active_users"}'
    response = Api(system).call("POST", "meters", body)
    assert (response.status, response.body["message"]) == (400, "The body has 'meterType' twice in one object.")
    assert sandbox_of(system).requests()["total"] == 0


@each_duplicate
def test_a_usage_with_a_duplicate_member_is_rejected_and_the_others_are_counted(
    system: System, text: str, member: str
) -> None:
    mark = f"duplicate-{uuid.uuid4()}"
    assert deliver(system, event(usage(), f'{{"mark": "{mark}", {text[1:]}', usage()), event(usage())) == []
    assert sandbox_of(system).totals("api-calls") == {"t1": 3}
    assert sandbox_of(system).totals("m") == {}
    (item,) = rejected_usages(system, mark)
    assert item["reason"].startswith(member)
    assert item["reason"].endswith("occurs twice")
    # The item has every value, so that a person can choose between them.
    assert "givenTwice" in json.dumps(item["usage"])


def test_a_message_with_a_duplicate_detail_or_records_is_rejected(system: System) -> None:
    mark = f"duplicate-{uuid.uuid4()}"
    body = f'{{"detail": {usage(mark=mark)}, "detail": {usage(mark=mark, tenantId="t2")}}}'
    records = f'{{"detail": {{"records": [{usage(mark=mark)}], "records": [{usage(mark=mark)}]}}}}'
    assert deliver(system, body, records, event(usage())) == []
    assert sandbox_of(system).totals("api-calls") == {"t1": 1}
    assert sorted(item["reason"] for item in rejected_usages(system, mark)) == [
        "records occurs twice",
        "the usage occurs twice",
    ]


def test_a_row_with_a_duplicate_member_is_rejected_and_the_others_are_counted(system: System, tmp_path: Path) -> None:
    now = int(time.time() * 1000)
    rows = [usage(meterTimeInMillis=now), '{"tenantId": "t2", ' + usage()[1:], usage(meterTimeInMillis=now)]
    file = tmp_path / f"{uuid.uuid4()}.ndjson"
    file.write_text("\n".join(rows))
    process = Metering(system, tmp_path)("backfill", str(file))
    assert "tenantId occurs twice" in process.stdout, process
    assert sandbox_of(system).totals("api-calls") == {"t1": 2}


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")], ids=["arrays", "objects"])
def test_deeply_nested_json_is_rejected_and_the_others_are_counted(system: System, opening: str, closing: str) -> None:
    def nest(levels: int) -> str:
        return opening * levels + "0" + closing * levels

    for path in ("ingest", "meters"):
        assert Api(system).call("POST", path, f'{{"a": {nest(40_000)}}}').status == 400
    deep = event(usage(a="DEEP")).replace('"DEEP"', nest(100_000))
    assert deliver(system, event(usage()), deep, event(usage(), nest(500))) == []
    assert sandbox_of(system).totals("api-calls") == {"t1": 2}


def test_parses_an_object_with_50_000_members() -> None:
    from amberflo_workflows.core.json_text import parse_json  # noqa: PLC0415 - only this test needs it

    members = [f'"m{number}": {number}' for number in range(50_000)]
    parsed: Any = parse_json("{" + ", ".join([*members, members[0]]) + "}")
    assert (len(parsed), parsed["m0"], parsed["m1"]) == (50_000, {"givenTwice": [0, 0]}, 1)
