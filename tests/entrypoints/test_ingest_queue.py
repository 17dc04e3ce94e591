import base64
import json
import os
import time
import uuid
from typing import Any

import pytest

from amberflo_workflows.core.rejected_item import from_attributes
from amberflo_workflows.local.system import System
from amberflo_workflows.operate.rejected.item_filter import ItemFilter
from amberflo_workflows.operate.rejected.table import RejectedTable
from tests.conftest import sandbox_of

pytestmark = [pytest.mark.emulator, pytest.mark.meters("api-calls")]

# The same in every delivery of a message.
SENT = str(int(time.time() * 1000))


def _event(detail: Any, event_id: str | None = None) -> dict[str, Any]:
    return {
        "version": "0",
        "id": event_id or str(uuid.uuid4()),
        "detail-type": "ingestUsage",
        "source": "applicationPlaneEventSource",
        "account": "000000000000",
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "region": "us-east-1",
        "resources": [],
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
    """Pass messages to the deployed function as SQS does. Return the ids of those that it returns as failed."""
    records = [_message(number, body) for number, body in enumerate(bodies)]
    response = system.client("lambda").invoke(
        FunctionName=system.outputs["IngestQueueFunctionName"], Payload=json.dumps({"Records": records})
    )
    payload = json.loads(response["Payload"].read())
    assert "FunctionError" not in response, payload
    return [failure["itemIdentifier"] for failure in payload["batchItemFailures"]]


def _items(system: System) -> list[Any]:
    """Return all items of the rejected table."""
    pages = system.client("dynamodb").get_paginator("scan").paginate(TableName=system.outputs["RejectedTableName"])
    return [item for page in pages for item in page["Items"]]


def test_hundreds_of_messages_are_sent_in_a_few_requests(system: System) -> None:
    assert _invoke(system, [json.dumps(_event(_usage())) for _ in range(350)]) == []
    assert sandbox_of(system).totals("api-calls") == {"t1": 350}
    # On a busy machine an attempt may time out, and its repetition counts again.
    assert 4 <= sandbox_of(system).count_calls("/ingest") < 20


def test_a_redelivered_message_counts_once(system: System) -> None:
    body = json.dumps(_event(_usage(7)))
    for bodies in ([body], [body, body]):
        assert _invoke(system, bodies) == []
    assert sandbox_of(system).totals("api-calls") == {"t1": 7}


def test_each_usage_of_a_redelivered_event_counts_once(system: System) -> None:
    body = json.dumps(_event({"records": [_usage(number) for number in range(150)]}))
    for _ in range(2):
        assert _invoke(system, [body]) == []
    assert sandbox_of(system).totals("api-calls") == {"t1": sum(range(150))}


@pytest.mark.parametrize("position", [0, 1, 2])
def test_an_invalid_message_is_rejected_and_the_others_are_counted(system: System, position: int) -> None:
    mark = f"invalid-{uuid.uuid4()}"
    for invalid in (mark, json.dumps([mark]), json.dumps(_event(mark)), json.dumps(_event({"tenantId": mark}))):
        sandbox_of(system).reset()
        sandbox_of(system).create_meters("api-calls")
        bodies = [json.dumps(_event(_usage())) for _ in range(2)]
        bodies.insert(position, invalid)
        assert _invoke(system, bodies) == []
        assert sandbox_of(system).totals("api-calls") == {"t1": 2}
        # A second delivery does not store a second item.
        assert _invoke(system, bodies) == []
    assert len([item for item in _items(system) if mark in str(item["original"])]) == 4


def test_messages_of_a_failed_chunk_are_delivered_again(system: System) -> None:
    sandbox_of(system).set_faults([{"kind": "status", "status": 503, "path": "/ingest", "times": 7}])
    failed = _invoke(system, [json.dumps(_event(_usage()))])
    assert failed == ["message-0"]
    assert sandbox_of(system).totals("api-calls") == {}
    assert _invoke(system, [json.dumps(_event(_usage()))]) == []


def test_a_large_batch_ends_early_if_amberflo_is_unavailable(system: System) -> None:
    bodies = [json.dumps(_event({"records": [_usage() for _ in range(300)]})) for _ in range(40)]
    sandbox_of(system).set_faults([{"kind": "status", "status": 503}])
    assert len(_invoke(system, bodies)) == 40
    # Seven attempts of three requests for each of the sixteen chunks in progress. More chunks may have started.
    assert sandbox_of(system).faults()[0]["struck"] < 32 * 7 * 3
    sandbox_of(system).clear_faults()
    deliveries = 0
    while bodies and deliveries < 5:
        # As SQS does: failed messages are delivered again.
        bodies = [bodies[int(name.removeprefix("message-"))] for name in _invoke(system, bodies)]
        deliveries += 1
    assert bodies == []
    assert sandbox_of(system).totals("api-calls") == {"t1": 12_000}


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("size", [150_000, 300_000, 900_000])
def test_a_usage_too_large_for_a_workflow_is_stored_completely(system: System, position: int, size: int) -> None:
    mark = f"large-{uuid.uuid4()}"
    large = {**_usage(tenant=mark), "note": "x" * size}
    bodies = [json.dumps(_event(_usage())) for _ in range(2)]
    bodies.insert(position, json.dumps(_event({"records": [_usage(), large, _usage()]})))
    for _ in range(2):
        assert _invoke(system, bodies) == []
    assert sandbox_of(system).totals("api-calls") == {"t1": 4}
    (item,) = [item for item in _items(system) if item["tenantId"]["S"] == mark]
    assert "larger than the limit of 100,000 bytes" in item["reason"]["S"]
    assert from_attributes(item).original["usage"] == large


def test_a_redelivery_does_not_change_a_dropped_item(system: System) -> None:
    mark = f"large-{uuid.uuid4()}"
    body = json.dumps(_event({**_usage(tenant=mark), "note": "x" * 150_000}))
    assert _invoke(system, [body]) == []
    table = RejectedTable(system)
    (item,) = table.list_items(ItemFilter(tenant=mark))
    table.drop(item, "")
    assert _invoke(system, [body]) == []
    assert table.list_items(ItemFilter(tenant=mark)) == []


def test_a_usage_too_large_for_the_table_stays_in_the_queue(system: System) -> None:
    large = {**_usage(), "note": base64.b64encode(os.urandom(600_000)).decode()}
    assert _invoke(system, [json.dumps(_event(_usage())), json.dumps(_event(large))]) == ["message-1"]
    assert sandbox_of(system).totals("api-calls") == {"t1": 1}


@pytest.mark.parametrize("value", ["1e999", "NaN", "1" * 400, '"\\ud800"', "[" * 600 + "]" * 600])
def test_a_value_that_cannot_be_encoded_does_not_affect_other_usage(system: System, value: str) -> None:
    mark = f"odd-{uuid.uuid4()}"
    odd = json.dumps(_event({"records": [_usage(), "ODD", _usage()]}))
    usage = f'{{"tenantId": "{mark}", "meterApiName": "api-calls", "meterValue": {value}}}'
    assert _invoke(system, [json.dumps(_event(_usage())), odd.replace('"ODD"', usage)]) == []
    assert sandbox_of(system).totals("api-calls") == {"t1": 3}
    assert len([item for item in _items(system) if mark in str(item["original"])]) == 1


@pytest.mark.parametrize("name", ["id", "time"])
@pytest.mark.parametrize("value", [None, {}, "\ud800", 5])
def test_an_invalid_envelope_does_not_affect_other_messages(system: System, name: str, value: Any) -> None:
    assert _invoke(system, [json.dumps({**_event(_usage()), name: value}), json.dumps(_event(_usage()))]) == []
    assert sandbox_of(system).totals("api-calls")["t1"] >= 1


@pytest.mark.parametrize("event_id", [None, "", " ", {}, [], True, False])
def test_messages_without_an_id_are_different_usages(system: System, event_id: Any) -> None:
    message = json.dumps({**_event(_usage()), "id": event_id})
    assert _invoke(system, [message] * 3) == []
    assert sandbox_of(system).totals("api-calls") == {"t1": 3}


@pytest.mark.parametrize("event_time", [None, "", " ", {}, False])
def test_a_message_without_a_time_has_the_time_at_which_it_was_sent(system: System, event_time: Any) -> None:
    assert _invoke(system, [json.dumps({**_event(_usage()), "time": event_time})]) == []
    assert sandbox_of(system).totals("api-calls") == {"t1": 1}
    assert _items(system) == []
