"""Connections to AWS that are lost: those that a paused Lambda still has, and those that break during a call."""

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from amberflo_workflows.core import aws, aws_call, claim_check
from amberflo_workflows.core.claim_check import redeem
from amberflo_workflows.core.s3_object import describe_object, read_object, s3_client
from amberflo_workflows.entrypoints import ingest_queue
from amberflo_workflows.entrypoints.api_response import run_for_caller
from amberflo_workflows.local.system import System
from tests.conftest import sandbox_of
from tests.entrypoints.calls import METER
from tests.resetting_proxy import ResettingProxy, resetting_proxy

pytestmark = [pytest.mark.emulator, pytest.mark.meters("api-calls")]


@pytest.fixture
def proxy(system: System, monkeypatch: pytest.MonkeyPatch) -> Iterator[ResettingProxy]:
    with resetting_proxy(system.emulator.url) as running:
        for name, value in {
            **system.emulator.environment,
            "AWS_ENDPOINT_URL": running.url,
            "ANSWERS_BUCKET_NAME": system.outputs["BackfillBucketName"],
            "INGEST_USAGE_STATE_MACHINE_ARN": system.state_machine_arns["ingest_usage"],
        }.items():
            monkeypatch.setenv(name, value)
        yield running
    aws.client.cache_clear()
    aws_call.client.cache_clear()


def test_a_read_is_repeated_on_a_new_connection(system: System, proxy: ResettingProxy) -> None:
    machine = system.state_machine_arns["list_meters"]
    statuses = [run_for_caller(machine, {}, repeatable=True).status for _ in range(3)]
    assert (statuses, proxy.resets) == ([200] * 3, 2)


def test_a_change_does_not_use_an_old_connection(
    system: System, proxy: ResettingProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws_call, "MAX_IDLE_SECONDS", 0)
    machine = system.state_machine_arns["create_meter"]
    meters = [{**METER, "label": name, "meterApiName": name} for name in ("m1", "m2", "m3")]
    statuses = [run_for_caller(machine, meter, repeatable=False).status for meter in meters]
    assert (statuses, proxy.resets) == ([201] * 3, 0)


def test_a_change_whose_connection_is_lost_is_not_repeated(system: System, proxy: ResettingProxy) -> None:
    meter = {**METER, "label": "new", "meterApiName": "new"}
    proxy.lost_responses = 1
    response = run_for_caller(system.state_machine_arns["create_meter"], meter, repeatable=False)
    assert (response.status, "may have taken effect" in response.body["message"]) == (504, True)
    assert proxy.requests == 1
    assert sandbox_of(system).count_calls("/meters") == 1


def _invoke(number: int) -> Any:
    now = int(time.time())
    usage = {"tenantId": "t", "meterApiName": "api-calls", "meterValue": number, "meterTimeInMillis": now * 1_000}
    event = {"id": str(uuid.uuid4()), "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)), "detail": usage}
    record = {
        "messageId": f"m{number}",
        "body": json.dumps(event),
        "attributes": {"SentTimestamp": str(now * 1_000)},
        "eventSource": "aws:sqs",
    }
    return ingest_queue.handler({"Records": [record]}, None)


def test_queued_usage_is_sent_on_a_new_connection_and_counts_once(system: System, proxy: ResettingProxy) -> None:
    assert [_invoke(number)["batchItemFailures"] for number in (1, 2, 4)] == [[], [], []]
    assert proxy.resets == 2
    assert sandbox_of(system).totals("api-calls") == {"t": 7}


def test_a_large_response_is_fetched_again(
    system: System, proxy: ResettingProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The emulator may be slower than S3, for which a second is enough.
    monkeypatch.setattr(claim_check, "TIMEOUT_SECONDS", 60)
    bucket = system.outputs["BackfillBucketName"]
    system.client("s3").put_object(Bucket=bucket, Key="body.json", Body=b'{"data": [1, 2, 3]}')
    proxy.short_bodies = 1
    assert redeem({"bucket": bucket, "key": "body.json", "bytes": 19}) == {"data": [1, 2, 3]}
    assert proxy.short_bodies == 0


@pytest.mark.parametrize("start", [0, 1_234])
def test_a_file_is_read_on_from_where_it_broke_off(system: System, proxy: ResettingProxy, start: int) -> None:
    bucket, data = system.outputs["BackfillBucketName"], bytes(range(256)) * 8_000
    system.client("s3").put_object(Bucket=bucket, Key="file.csv", Body=data)
    s3_object, size = describe_object(s3_client(), bucket, "file.csv")
    proxy.short_bodies = 3
    assert b"".join(read_object(s3_client(), s3_object, start)) == data[start:size]
    assert proxy.short_bodies == 0
