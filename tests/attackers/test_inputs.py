"""What a caller or an emitter may write: ids that climb, headers that break out, JSON that says two things at once."""

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
from tests.attackers.deliveries import deliver, event, refused, usage
from tests.cli.metering import Metering
from tests.conftest import sandbox_of
from tests.entrypoints.calls import METER, Api
from tests.workflows.runner import Runner

pytestmark = pytest.mark.emulator

CLIMBING = [
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
# As an address has them; some the gateway already does not take for a meter's.
IN_ADDRESSES = [*(urllib.parse.quote(given, safe="") for given in CLIMBING), "..%2f..%2fcustomers", "..;/customers"]
TWICE = {
    "side by side": ('{"tenantId": "a", "tenantId": "b", "meterApiName": "m", "meterValue": 1}', "tenantId"),
    "alike": ('{"tenantId": "a", "meterApiName": "m", "meterValue": 1, "meterValue": 1}', "meterValue"),
    "escaped": ('{"tenantId": "a", "tenant\\u0049d": "b", "meterApiName": "m", "meterValue": 1}', "tenantId"),
    "three times": ('{"tenantId": "a", "meterApiName": "m", "meterValue": 1, "x": 1, "x": 2, "x": 3}', "x"),
    "in dimensions": ('{"tenantId": "a", "meterApiName": "m", "meterValue": 1, "dimensions": {"x": 1, "x": 2}}', "x"),
    "dimensions": ('{"tenantId": "a", "meterApiName": "m", "meterValue": 1, "dimensions": {}, "dimensions": {}}', "di"),
}
twice = pytest.mark.parametrize(("text", "name"), TWICE.values(), ids=TWICE.keys())


def _arrived(system: System) -> list[str]:
    return [request["path"] for request in sandbox_of(system).requests()["recent"]]


def _get(system: System, path: str) -> http.client.HTTPResponse:
    """As it is: ``requests`` would tidy the address up first."""
    address = urllib.parse.urlsplit(system.api_endpoint)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
    connection.request("GET", address.path + path, headers={"Authorization": f"Bearer {system.access_token}"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def test_an_id_is_sent_to_amberflo_as_one_escaped_path_segment(system: System) -> None:
    for given in CLIMBING:
        assert Runner(system, endpoint=None).run("get_meter", {"meterId": given}).output["statusCode"] == 404, given
    assert _arrived(system) == [f"/meters/{urllib.parse.quote(given, safe='')}" for given in CLIMBING]


def test_an_id_of_only_dots_is_rejected_before_any_call(system: System) -> None:
    for workflow in ("get_meter", "update_meter", "delete_meter", "fetch_usage"):
        output = Runner(system, endpoint=None).run(workflow, {"meterId": "..", "label": "x"}).output
        assert output["statusCode"] == 400, workflow
    for given in (".", "..", "%2e%2e", "..."):
        assert _get(system, f"meters/{given}").status == 400, given
    assert _arrived(system) == []


def test_a_path_over_http_reaches_one_meter_or_none(system: System) -> None:
    for given in IN_ADDRESSES:
        answer = _get(system, f"meters/{given}")
        assert answer.status == 404, given
        assert answer.getheader("X-Injected") is None
        assert re.fullmatch(r"[\w:.-]*", answer.getheader("x-execution-arn", ""))
    assert _arrived(system)
    assert [path for path in _arrived(system) if not re.fullmatch(r"/meters/[^/?#;\\]+", path)] == []


@pytest.mark.parametrize("key", ["a\r\nX-Injected: yes", "a\nb", "\0", "\x85", "\u2028", "\x1b[31m", "\u202e"])
def test_rejects_an_idempotency_key_with_unprintable_characters(system: System, key: str) -> None:
    # No HTTP client or server lets it through, so the function gets it by hand.
    (name,) = [
        function["FunctionName"]
        for page in system.client("lambda").get_paginator("list_functions").paginate()
        for function in page["Functions"]
        if function["Handler"].endswith("entrypoints.api.handler") and function["FunctionName"].startswith(system.stack)
    ]
    context = {"http": {"method": "POST", "path": "/ingest"}, "requestId": "r", "stage": "$default"}
    call: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "POST /ingest",
        "rawPath": "/ingest",
        "requestContext": context,
    }
    call |= {"headers": {"idempotency-key": key}, "body": usage(), "isBase64Encoded": False}
    answer = json.loads(system.client("lambda").invoke(FunctionName=name, Payload=json.dumps(call))["Payload"].read())
    assert (answer["statusCode"], answer["headers"]) == (400, {"Content-Type": "application/json"})
    assert sandbox_of(system).requests()["total"] == 0


@twice
def test_rejects_a_body_with_a_duplicate_member(system: System, text: str, name: str) -> None:
    for body in (text, f'{{"records": [{usage()}, {text}]}}'):
        answer = Api(system).call("POST", "ingest", body)
        assert answer.status == 400
        assert f"'{name}" in answer.body["message"]
    assert sandbox_of(system).requests()["total"] == 0


def test_rejects_a_meter_with_a_duplicate_member(system: System) -> None:
    body = json.dumps(METER)[:-1] + ', "meter\\u0054ype": "active_users"}'
    answer = Api(system).call("POST", "meters", body)
    assert (answer.status, answer.body["message"]) == (400, "The body has 'meterType' twice in one object.")
    assert sandbox_of(system).requests()["total"] == 0


@twice
def test_a_usage_with_a_duplicate_member_is_rejected_and_the_others_are_counted(
    system: System, text: str, name: str
) -> None:
    mark = f"twice-{uuid.uuid4()}"
    assert deliver(system, event(usage(), f'{{"mark": "{mark}", {text[1:]}', usage()), event(usage())) == []
    assert sandbox_of(system).totals("api-calls") == {"t1": 3}
    assert sandbox_of(system).totals("m") == {}
    (item,) = refused(system, mark)
    assert item["reason"].startswith(name)
    assert item["reason"].endswith("is given twice")
    # All that was said is kept, so that a person can choose.
    assert "givenTwice" in json.dumps(item["usage"])


def test_a_message_with_a_duplicate_detail_or_records_is_rejected(system: System) -> None:
    mark = f"twice-{uuid.uuid4()}"
    body = f'{{"detail": {usage(mark=mark)}, "detail": {usage(mark=mark, tenantId="t2")}}}'
    records = f'{{"detail": {{"records": [{usage(mark=mark)}], "records": [{usage(mark=mark)}]}}}}'
    assert deliver(system, body, records, event(usage())) == []
    assert sandbox_of(system).totals("api-calls") == {"t1": 1}
    assert sorted(item["reason"] for item in refused(system, mark)) == [
        "records is given twice",
        "the usage is given twice",
    ]


def test_a_row_with_a_duplicate_member_is_rejected_and_the_others_are_counted(system: System, tmp_path: Path) -> None:
    moment = int(time.time() * 1000)
    rows = [usage(meterTimeInMillis=moment), '{"tenantId": "t2", ' + usage()[1:], usage(meterTimeInMillis=moment)]
    file = tmp_path / f"{uuid.uuid4()}.ndjson"
    file.write_text("\n".join(rows))
    done = Metering(system, tmp_path)("backfill", str(file))
    assert "tenantId is given twice" in done.stdout, done
    assert sandbox_of(system).totals("api-calls") == {"t1": 2}


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_deeply_nested_json_is_rejected_and_the_others_are_counted(system: System, opening: str, closing: str) -> None:
    def levels(count: int) -> str:
        return opening * count + "0" + closing * count

    for path in ("ingest", "meters"):
        assert Api(system).call("POST", path, f'{{"a": {levels(40_000)}}}').status == 400
    deep = event(usage(a="DEEP")).replace('"DEEP"', levels(100_000))
    assert deliver(system, event(usage()), deep, event(usage(), levels(500))) == []
    assert sandbox_of(system).totals("api-calls") == {"t1": 2}


def test_parses_an_object_with_50_000_members() -> None:
    from amberflo_workflows.core.json_text import parse_json  # noqa: PLC0415 - this test alone runs it here

    members = [f'"m{number}": {number}' for number in range(50_000)]
    found: Any = parse_json("{" + ", ".join([*members, members[0]]) + "}")
    assert (len(found), found["m0"], found["m1"]) == (50_000, {"givenTwice": [0, 0]}, 1)
