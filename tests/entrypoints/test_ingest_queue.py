import json
import time
import uuid
from typing import Any

import pytest

from amberflo_workflows.local.system import System
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
    items = system.client("dynamodb").scan(TableName=system.outputs["RejectedTableName"])["Items"]
    assert len([item for item in items if mark in item["original"]["S"]]) == 4


def test_when_amberflo_is_down_only_the_messages_of_the_failed_chunk_come_again(system: System) -> None:
    sandbox_of(system).set_faults([{"kind": "status", "status": 503, "times": 7}])
    again = _invoke(system, [json.dumps(_event(_usage()))])
    assert again == ["message-0"]
    assert sandbox_of(system).totals("api-calls") == {}
    assert _invoke(system, [json.dumps(_event(_usage()))]) == []


def test_a_usage_too_large_for_a_workflow_stays_in_the_queue(system: System) -> None:
    large = _event({**_usage(), "note": "x" * 300_000})
    assert _invoke(system, [json.dumps(_event(_usage())), json.dumps(large)]) == ["message-1"]
    assert sandbox_of(system).totals("api-calls") == {"t1": 1}
