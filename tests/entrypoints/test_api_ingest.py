"""``POST /ingest``: usage is counted before the response is returned, and once."""

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.conftest import sandbox_of
from tests.entrypoints.calls import Api

pytestmark = [pytest.mark.emulator, pytest.mark.meters("api-calls")]


def test_many_usages_are_sent_in_chunks_and_invalid_ones_are_returned(api: Api) -> None:
    usages: list[Any] = [{"tenantId": "t", "meterApiName": "api-calls", "meterValue": 1} for _ in range(650)]
    usages[420] = {"tenantId": "t", "meterApiName": "api-calls", "meterValue": "many"}
    response = api.call("POST", "ingest", {"records": usages})
    data = response.body["data"]
    assert (response.status, data["accepted"], len(set(data["uniqueIds"]))) == (200, 649, 649)
    assert [rejected["index"] for rejected in data["rejected"]] == [420]
    assert response.headers["x-execution-arn"].count(":execution:") == 3
    assert sandbox_of(api.system).totals("api-calls") == {"t": 649}


def test_usage_with_its_own_identity_counts_once(api: Api) -> None:
    usage = {
        "tenantId": "t",
        "meterApiName": "api-calls",
        "meterValue": 5,
        "uniqueId": "u-1",
        "meterTimeInMillis": int(time.time() * 1000),
    }
    for _ in range(2):
        assert api.call("POST", "ingest", usage).body["data"]["uniqueIds"] == ["u-1"]
    assert sandbox_of(api.system).totals("api-calls") == {"t": 5}


def test_a_call_with_an_idempotency_key_counts_once(api: Api) -> None:
    usage = {"tenantId": "t", "meterApiName": "api-calls", "meterValue": 5}
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first, second = (api.call("POST", "ingest", {"records": [usage, usage]}, **key) for _ in range(2))
    other = api.call("POST", "ingest", {"records": [usage, usage]}, **{"Idempotency-Key": str(uuid.uuid4())})
    assert (first.status, first.body["data"]["accepted"]) == (200, 2)
    assert second.body == first.body
    assert other.body != first.body
    assert sandbox_of(api.system).totals("api-calls") == {"t": 20}


def test_repeating_a_call_that_failed_half_way_completes_it(api: Api) -> None:
    usages = [{"tenantId": "t", "meterApiName": "api-calls", "meterValue": 1}] * 250
    key = {"Idempotency-Key": str(uuid.uuid4())}
    # The first request is accepted, but its response is an error; the next ones fail.
    sandbox_of(api.system).set_faults(
        [{"kind": "accept_then_status", "path": "/ingest", "times": 1}, {"kind": "status", "path": "/ingest"}]
    )
    assert api.call("POST", "ingest", {"records": usages}, **key).status == 502
    sandbox_of(api.system).clear_faults()
    assert api.call("POST", "ingest", {"records": usages}, **key).status == 200
    assert sandbox_of(api.system).totals("api-calls") == {"t": 250}


def test_parallel_calls_with_the_same_key_count_once(api: Api) -> None:
    usage = {"tenantId": "t", "meterApiName": "api-calls", "meterValue": 5}
    key = {"Idempotency-Key": str(uuid.uuid4())}
    with ThreadPoolExecutor(4) as pool:
        responses = list(pool.map(lambda _: api.call("POST", "ingest", usage, **key), range(4)))
    assert [response.status for response in responses] == [200] * 4
    assert len({str(response.body) for response in responses}) == 1
    assert sandbox_of(api.system).totals("api-calls") == {"t": 5}


def test_an_idempotency_key_with_another_body_is_a_409(api: Api) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    usage = {"tenantId": "t", "meterApiName": "api-calls", "meterValue": 5}
    assert api.call("POST", "ingest", usage, **key).status == 200
    response = api.call("POST", "ingest", {**usage, "meterValue": 6}, **key)
    assert (response.status, response.body["statusCode"]) == (409, 409)
    assert "another body" in response.body["message"]


def test_a_body_is_the_same_if_its_canonical_form_is(api: Api) -> None:
    key, usage = {"Idempotency-Key": str(uuid.uuid4())}, {"tenantId": "Caf\u00e9", "meterApiName": "api-calls"}
    bodies = [
        {**usage, "meterValue": 1},
        {**usage, "meterValue": 1.0},
        {**usage, "tenantId": "Cafe\u0301", "meterValue": 1},
    ]
    assert [api.call("POST", "ingest", body, **key).status for body in bodies] == [200] * 3
    assert sandbox_of(api.system).totals("api-calls") == {"Caf\u00e9": 1}


def _call_behind(api: Api, authorizer: Any, key: str) -> Any:
    """Call the function as an API with this authorizer does. The local API has the authorizer of the stack only."""
    function = next(
        function["FunctionName"]
        for page in api.system.client("lambda").get_paginator("list_functions").paginate()
        for function in page["Functions"]
        if function["Handler"].endswith("entrypoints.api.handler")
        and function["FunctionName"].startswith(api.system.stack)
    )
    http = {"method": "POST", "path": "/ingest"}
    request = {
        "version": "2.0",
        "routeKey": "POST /ingest",
        "rawPath": "/ingest",
        "rawQueryString": "",
        "requestContext": {"http": http, "requestId": "r", "stage": "$default", "authorizer": authorizer},
        "headers": {"idempotency-key": key},
        "body": json.dumps({"tenantId": "t", "meterApiName": "api-calls", "meterValue": 5}),
        "isBase64Encoded": False,
    }
    response = api.system.client("lambda").invoke(FunctionName=function, Payload=json.dumps(request))
    return json.loads(response["Payload"].read())


def test_callers_of_any_authorizer_have_keys_of_their_own(api: Api) -> None:
    key, arn = str(uuid.uuid4()), "arn:aws:iam::123456789012:user/"
    authorizers: list[Any] = [{"iam": {"userArn": arn + name}} for name in ("ann", "bob")]
    authorizers += [{"lambda": {"principalId": name}} for name in ("ann", "bob")]
    authorizers += [{"jwt": {"claims": {"azp": "app", "iss": issuer}}} for issuer in ("https://a", "https://b")]
    for _ in range(2):
        assert [_call_behind(api, authorizer, key)["statusCode"] for authorizer in authorizers] == [200] * 6
    assert sandbox_of(api.system).totals("api-calls") == {"t": 6 * 5}


@pytest.mark.parametrize("authorizer", [None, {"jwt": {"claims": {"scope": "write"}}}, {"lambda": {"at": "1"}}])
def test_a_key_of_an_unknown_caller_is_a_400(api: Api, authorizer: Any) -> None:
    response = _call_behind(api, authorizer, str(uuid.uuid4()))
    assert response["statusCode"] == 400
    assert "authorizer does not tell who calls" in json.loads(response["body"])["message"]
    assert sandbox_of(api.system).requests()["records"] == 0


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_an_invalid_idempotency_key_is_a_400(api: Api, key: str) -> None:
    response = api.call("POST", "ingest", {"tenantId": "t"}, **{"Idempotency-Key": key})
    assert response.status == 400
    assert "Idempotency-Key" in response.body["message"]


def test_a_usage_too_large_for_a_workflow_is_rejected_and_the_rest_is_counted(api: Api) -> None:
    usage = {"tenantId": "t", "meterApiName": "api-calls", "meterValue": 5}
    response = api.call("POST", "ingest", {"records": [usage, {**usage, "note": "x" * 110_000}, usage]})
    data = response.body["data"]
    assert (response.status, data["accepted"], [rejected["index"] for rejected in data["rejected"]]) == (200, 2, [1])
    assert sandbox_of(api.system).totals("api-calls") == {"t": 10}


def test_a_call_has_a_maximum_of_usages(api: Api) -> None:
    usage = {"tenantId": "t", "meterApiName": "api-calls", "meterValue": 1}
    response = api.call("POST", "ingest", {"records": [usage] * 3_600})
    assert (response.status, response.body["data"]["accepted"]) == (200, 3_600)
    assert response.headers["x-execution-arn"].count(":execution:") == 12
    too_many = api.call("POST", "ingest", {"records": [{}] * 4_801})
    assert (too_many.status, "4,801" in too_many.body["message"]) == (413, True)
    assert "x-execution-arn" not in too_many.headers


def test_an_empty_batch_is_a_400(api: Api) -> None:
    assert api.call("POST", "ingest", {"records": []}).status == 400
