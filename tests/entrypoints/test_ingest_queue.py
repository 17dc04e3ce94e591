import base64
import gzip
import json
import os
import time
import uuid
from typing import Any

import pytest

from amberflo_workflows.local.system import System
from amberflo_workflows.operate.rejected.item_filter import ItemFilter
from amberflo_workflows.operate.rejected.table import RejectedTable
from tests.conftest import sandbox_of

pytestmark = pytest.mark.emulator

# A message keeps it through every delivery.
SENT = str(int(time.time() * 1000))


def _event(detail: Any, event_id: str | None = None) -> dict[str, Any]:
    return {
        "version": "0",
        "id": event_id or str(uuid.uuid4()),
        "detail-type": "ingestUsage",
        "source": "applicationPlaneEventSource",
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "detail": detail,
    }


def _usage(value: Any = 1, tenant: str = "t1") -> dict[str, Any]:
    return {"tenantId": tenant, "meterApiName": "api-calls", "meterValue": value, "region": "eu"}


def _message(number: int, body: str) -> dict[str, Any]:
    return {
        "messageId": f"message-{number}",
        "receiptHandle": "handle",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": SENT},
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:usage",
        "awsRegion": "us-east-1",
    }


def _invoke(system: System, bodies: list[str]) -> list[str]:
    """Hand messages to the deployed function as SQS would; the ids of those it wants again."""
    records = [_message(number, body) for number, body in enumerate(bodies)]
    answer = system.client("lambda").invoke(
        FunctionName=system.outputs["IngestQueueFunctionName"], Payload=json.dumps({"Records": records})
    )
    payload = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, payload
    return [failure["itemIdentifier"] for failure in payload["batchItemFailures"]]


def _items(system: System) -> list[Any]:
    """Every item of the rejected table."""
    pages = system.client("dynamodb").get_paginator("scan").paginate(TableName=system.outputs["RejectedTableName"])
    return [item for page in pages for item in page["Items"]]


def test_hundreds_of_messages_become_a_few_requests(system: System) -> None:
    assert _invoke(system, [json.dumps(_event(_usage())) for _ in range(350)]) == []
    assert sandbox_of(system).totals("api-calls") == {"t1": 350}
    assert sandbox_of(system).requests()["total"] == 4


def test_a_redelivered_message_counts_once(system: System) -> None:
    body = json.dumps(_event(_usage(7)))
    for bodies in ([body], [body, body]):
        assert _invoke(system, bodies) == []
    assert sandbox_of(system).totals("api-calls") == {"t1": 7}


def test_many_usages_in_one_event_are_each_counted_once_however_often_it_comes(system: System) -> None:
    body = json.dumps(_event({"records": [_usage(number) for number in range(150)]}))
    for _ in range(2):
        assert _invoke(system, [body]) == []
    assert sandbox_of(system).totals("api-calls") == {"t1": sum(range(150))}


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_poison_message_is_parked_alone_wherever_it_stands(system: System, position: int) -> None:
    mark = f"poison-{uuid.uuid4()}"
    for poison in (mark, json.dumps([mark]), json.dumps(_event(mark)), json.dumps(_event({"tenantId": mark}))):
        sandbox_of(system).reset()
        bodies = [json.dumps(_event(_usage())) for _ in range(2)]
        bodies.insert(position, poison)
        assert _invoke(system, bodies) == []
        assert sandbox_of(system).totals("api-calls") == {"t1": 2}
        # Delivered again, it is not parked again.
        assert _invoke(system, bodies) == []
    assert len([item for item in _items(system) if mark in str(item["original"])]) == 4


def test_when_amberflo_is_down_only_the_messages_of_the_failed_chunk_come_again(system: System) -> None:
    sandbox_of(system).set_faults([{"kind": "status", "status": 503, "times": 7}])
    again = _invoke(system, [json.dumps(_event(_usage()))])
    assert again == ["message-0"]
    assert sandbox_of(system).totals("api-calls") == {}
    assert _invoke(system, [json.dumps(_event(_usage()))]) == []


def test_when_amberflo_is_down_a_large_batch_does_not_wait_for_each_of_its_chunks(system: System) -> None:
    bodies = [json.dumps(_event({"records": [_usage() for _ in range(300)]})) for _ in range(40)]
    sandbox_of(system).set_faults([{"kind": "status", "status": 503}])
    assert len(_invoke(system, bodies)) == 40
    # Seven tries of three requests, of the sixteen chunks that were on their way; some more may just have begun.
    assert sandbox_of(system).faults()[0]["struck"] < 32 * 7 * 3
    sandbox_of(system).clear_faults()
    deliveries = 0
    while bodies and deliveries < 5:
        # As SQS does: what was not dealt with comes again.
        bodies = [bodies[int(name.removeprefix("message-"))] for name in _invoke(system, bodies)]
        deliveries += 1
    assert bodies == []
    assert sandbox_of(system).totals("api-calls") == {"t1": 12_000}


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("size", [150_000, 300_000, 900_000])
def test_a_usage_too_large_for_a_workflow_is_parked_alone_and_whole(system: System, position: int, size: int) -> None:
    mark = f"large-{uuid.uuid4()}"
    large = {**_usage(tenant=mark), "note": "x" * size}
    bodies = [json.dumps(_event(_usage())) for _ in range(2)]
    bodies.insert(position, json.dumps(_event({"records": [_usage(), large, _usage()]})))
    for _ in range(2):
        assert _invoke(system, bodies) == []
    assert sandbox_of(system).totals("api-calls") == {"t1": 4}
    (item,) = [item for item in _items(system) if item["tenantId"]["S"] == mark]
    assert "larger than the 100,000 bytes" in item["reason"]["S"]
    text = item["original"]["S"] if "S" in item["original"] else gzip.decompress(item["original"]["B"]).decode()
    assert json.loads(text)["usage"] == large


def test_a_redelivery_does_not_undo_what_was_done_with_a_usage_too_large(system: System) -> None:
    mark = f"large-{uuid.uuid4()}"
    body = json.dumps(_event({**_usage(tenant=mark), "note": "x" * 150_000}))
    assert _invoke(system, [body]) == []
    table = RejectedTable(system)
    (item,) = table.list_items(ItemFilter(tenant=mark))
    table.drop(item, "")
    assert _invoke(system, [body]) == []
    assert table.list_items(ItemFilter(tenant=mark)) == []


def test_a_usage_that_not_even_the_table_can_hold_stays_in_the_queue(system: System) -> None:
    large = {**_usage(), "note": base64.b64encode(os.urandom(600_000)).decode()}
    assert _invoke(system, [json.dumps(_event(_usage())), json.dumps(_event(large))]) == ["message-1"]
    assert sandbox_of(system).totals("api-calls") == {"t1": 1}


@pytest.mark.parametrize("value", ["1e999", "NaN", "1" * 400, '"\\ud800"', "[" * 600 + "]" * 600])
def test_a_value_that_json_can_write_and_we_cannot_carry_harms_no_neighbour(system: System, value: str) -> None:
    mark = f"odd-{uuid.uuid4()}"
    odd = json.dumps(_event({"records": [_usage(), "ODD", _usage()]}))
    usage = f'{{"tenantId": "{mark}", "meterApiName": "api-calls", "meterValue": {value}}}'
    assert _invoke(system, [json.dumps(_event(_usage())), odd.replace('"ODD"', usage)]) == []
    assert sandbox_of(system).totals("api-calls") == {"t1": 3}
    assert len([item for item in _items(system) if mark in str(item["original"])]) == 1


@pytest.mark.parametrize("name", ["id", "time"])
@pytest.mark.parametrize("value", [None, {}, "\ud800", 5])
def test_an_envelope_may_be_odd_without_harm_to_others(system: System, name: str, value: Any) -> None:
    assert _invoke(system, [json.dumps({**_event(_usage()), name: value}), json.dumps(_event(_usage()))]) == []
    assert sandbox_of(system).totals("api-calls")["t1"] >= 1
