"""``POST /ingest``: counted before it is answered, and once."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.conftest import sandbox_of
from tests.entrypoints.calls import Api, created

pytestmark = pytest.mark.emulator


def test_many_usages_are_ingested_in_chunks_and_each_wrong_one_is_named(api: Api) -> None:
    created(api)
    usages: list[Any] = [{"tenantId": "t", "meterApiName": "api-calls", "meterValue": 1} for _ in range(650)]
    usages[420] = {"tenantId": "t", "meterApiName": "api-calls", "meterValue": "many"}
    answer = api.call("POST", "ingest", {"records": usages})
    data = answer.body["data"]
    assert (answer.status, data["accepted"], len(set(data["uniqueIds"]))) == (200, 649, 649)
    assert [rejected["index"] for rejected in data["rejected"]] == [420]
    assert answer.headers["x-execution-arn"].count(":execution:") == 3
    assert sandbox_of(api.system).totals("api-calls") == {"t": 649}


def test_the_same_usage_with_its_own_identity_counts_once(api: Api) -> None:
    created(api)
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


def test_a_call_with_an_idempotency_key_counts_once_though_it_gives_no_time_or_identity(api: Api) -> None:
    created(api)
    usage = {"tenantId": "t", "meterApiName": "api-calls", "meterValue": 5}
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first, again = (api.call("POST", "ingest", {"records": [usage, usage]}, **key) for _ in range(2))
    other = api.call("POST", "ingest", {"records": [usage, usage]}, **{"Idempotency-Key": str(uuid.uuid4())})
    assert (first.status, first.body["data"]["accepted"]) == (200, 2)
    assert again.body == first.body
    assert other.body != first.body
    assert sandbox_of(api.system).totals("api-calls") == {"t": 20}


def test_a_call_that_failed_half_way_is_finished_by_its_repetition(api: Api) -> None:
    created(api)
    usages = [{"tenantId": "t", "meterApiName": "api-calls", "meterValue": 1}] * 250
    key = {"Idempotency-Key": str(uuid.uuid4())}
    # Taken, but the caller never hears of it; and then not taken at all.
    sandbox_of(api.system).set_faults(
        [{"kind": "accept_then_status", "times": 1}, {"kind": "status", "path": "/ingest"}]
    )
    assert api.call("POST", "ingest", {"records": usages}, **key).status == 502
    sandbox_of(api.system).clear_faults()
    assert api.call("POST", "ingest", {"records": usages}, **key).status == 200
    assert sandbox_of(api.system).totals("api-calls") == {"t": 250}


def test_the_same_key_at_the_same_moment_counts_once(api: Api) -> None:
    created(api)
    usage = {"tenantId": "t", "meterApiName": "api-calls", "meterValue": 5}
    key = {"Idempotency-Key": str(uuid.uuid4())}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: api.call("POST", "ingest", usage, **key), range(4)))
    assert [answer.status for answer in answers] == [200] * 4
    assert len({str(answer.body) for answer in answers}) == 1
    assert sandbox_of(api.system).totals("api-calls") == {"t": 5}


def test_an_idempotency_key_is_for_one_body(api: Api) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    usage = {"tenantId": "t", "meterApiName": "api-calls", "meterValue": 5}
    assert api.call("POST", "ingest", usage, **key).status == 200
    answer = api.call("POST", "ingest", {**usage, "meterValue": 6}, **key)
    assert (answer.status, answer.body["statusCode"]) == (409, 409)
    assert "another body" in answer.body["message"]


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_an_idempotency_key_that_is_none_is_a_400(api: Api, key: str) -> None:
    answer = api.call("POST", "ingest", {"tenantId": "t"}, **{"Idempotency-Key": key})
    assert answer.status == 400
    assert "Idempotency-Key" in answer.body["message"]


def test_a_usage_too_large_for_a_workflow_is_named_and_its_neighbours_are_counted(api: Api) -> None:
    created(api)
    usage = {"tenantId": "t", "meterApiName": "api-calls", "meterValue": 5}
    answer = api.call("POST", "ingest", {"records": [usage, {**usage, "note": "x" * 110_000}, usage]})
    data = answer.body["data"]
    assert (answer.status, data["accepted"], [refused["index"] for refused in data["rejected"]]) == (200, 2, [1])
    assert sandbox_of(api.system).totals("api-calls") == {"t": 10}


def test_a_call_takes_so_many_usages_as_its_time_and_its_answer_have_room_for(api: Api) -> None:
    created(api)
    usage = {"tenantId": "t", "meterApiName": "api-calls", "meterValue": 1}
    answer = api.call("POST", "ingest", {"records": [usage] * 3_600})
    assert (answer.status, answer.body["data"]["accepted"]) == (200, 3_600)
    assert answer.headers["x-execution-arn"].count(":execution:") == 12
    more = api.call("POST", "ingest", {"records": [{}] * 4_801})
    assert (more.status, "4,801" in more.body["message"]) == (413, True)
    assert "x-execution-arn" not in more.headers


def test_an_empty_batch_is_a_400(api: Api) -> None:
    assert api.call("POST", "ingest", {"records": []}).status == 400
