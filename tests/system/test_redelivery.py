import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from amberflo_workflows.local.system import System
from amberflo_workflows.operate.rejected.dead_letters import DeadLetters
from tests.conftest import sandbox_of
from tests.polling import soon
from tests.system.workers import kill_workers, workers

pytestmark = pytest.mark.system

INGEST_QUEUE = "amberflo_workflows.entrypoints.ingest_queue.handler"
# In place of half an hour, so that a test can wait for it.
VISIBILITY_SECONDS = 2


@pytest.fixture
def impatient(system: System) -> Iterator[System]:
    """The system, whose queue delivers again after two seconds."""
    queue = {"QueueUrl": system.outputs["UsageQueueUrl"]}
    before = system.client("sqs").get_queue_attributes(**queue, AttributeNames=["VisibilityTimeout"])["Attributes"]
    system.client("sqs").set_queue_attributes(**queue, Attributes={"VisibilityTimeout": str(VISIBILITY_SECONDS)})
    yield system
    system.client("sqs").set_queue_attributes(**queue, Attributes=before)
    system.client("sqs").purge_queue(QueueUrl=system.outputs["UsageDeadLetterQueueUrl"])


def _put(system: System, *details: Any) -> None:
    entries = [
        {
            "EventBusName": system.outputs["EventBusName"],
            "Source": "my.app",
            "DetailType": "ingestUsage",
            "Detail": json.dumps(detail),
        }
        for detail in details
    ]
    assert system.client("events").put_events(Entries=entries)["FailedEntryCount"] == 0


def _usage(tenant: str, value: int = 3) -> dict[str, Any]:
    return {"tenantId": tenant, "meterApiName": "api-calls", "meterValue": value}


def _is_counted(system: System, tenant: str, total: int) -> bool:
    return sandbox_of(system).totals("api-calls").get(tenant) == total


def test_usage_whose_worker_died_is_delivered_again_and_counts_once(impatient: System) -> None:
    tenant = f"tenant-{uuid.uuid4()}"
    sandbox_of(impatient).set_faults([{"kind": "delay", "seconds": 2, "path": "/ingest", "times": 1}])
    _put(impatient, _usage(tenant))
    assert soon(lambda: sandbox_of(impatient).faults()[0]["struck"] == 1)
    assert kill_workers(impatient, INGEST_QUEUE) >= 1
    assert soon(lambda: _is_counted(impatient, tenant, 3))
    # It comes again, to another worker, and is not counted again.
    assert soon(lambda: workers(impatient, INGEST_QUEUE) != [])
    assert soon(lambda: sandbox_of(impatient).requests()["records"] == 2)
    assert _is_counted(impatient, tenant, 3)


def test_usage_that_cannot_be_delivered_waits_in_the_dead_letter_queue_and_counts_when_sent_again(
    impatient: System,
) -> None:
    tenant, neighbour = f"tenant-{uuid.uuid4()}", f"tenant-{uuid.uuid4()}"
    sandbox_of(impatient).set_faults([{"kind": "status", "status": 503, "path": "/ingest"}])
    _put(impatient, {"records": [_usage(tenant), _usage(tenant, 4)]})
    letters = DeadLetters(impatient)
    deadline = time.monotonic() + 60
    tenants: list[list[str]] = []
    while tenants != [[tenant]] and time.monotonic() < deadline:
        with letters.looked_at() as events:
            tenants = [event.tenants for event in events]
    assert tenants == [[tenant]]
    # Seven tries in each of five deliveries.
    assert sandbox_of(impatient).faults()[0]["struck"] == 35
    sandbox_of(impatient).clear_faults()
    _put(impatient, _usage(neighbour))
    assert soon(lambda: _is_counted(impatient, neighbour, 3))
    assert sandbox_of(impatient).totals("api-calls").get(tenant) is None
    with letters.looked_at() as (event,):
        letters.redrive(event)
    assert soon(lambda: _is_counted(impatient, tenant, 7))
    with letters.looked_at() as events:
        assert events == []
