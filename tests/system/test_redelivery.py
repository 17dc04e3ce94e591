import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from amberflo_workflows.local.system import System
from amberflo_workflows.operate.rejected.dead_letters import DeadLetters
from tests.conftest import sandbox_of
from tests.polling import wait_until
from tests.runbook.sending import send_usages
from tests.system.workers import kill_workers

pytestmark = [pytest.mark.system, pytest.mark.long, pytest.mark.meters("api-calls")]

INGEST_QUEUE = "amberflo_workflows.entrypoints.ingest_queue.handler"
# Instead of half an hour, so that a test can wait for the next delivery.
VISIBILITY_TIMEOUT_SECONDS = 2
# Longer than a slow machine needs to kill a worker.
CALL_SECONDS = 5
# Five deliveries with seven attempts each.
TIMEOUT_SECONDS = 240


@pytest.fixture
def redelivering_system(system: System) -> Iterator[System]:
    """The system with a queue that delivers an event again after two seconds."""
    sqs, queue = system.client("sqs"), {"QueueUrl": system.outputs["UsageQueueUrl"]}
    before = sqs.get_queue_attributes(**queue, AttributeNames=["VisibilityTimeout"])["Attributes"]
    sqs.set_queue_attributes(**queue, Attributes={"VisibilityTimeout": str(VISIBILITY_TIMEOUT_SECONDS)})
    yield system
    sqs.set_queue_attributes(**queue, Attributes=before)


def _usage(tenant: str, value: int = 3) -> dict[str, Any]:
    return {"tenantId": tenant, "meterApiName": "api-calls", "meterValue": value}


def _total(system: System, tenant: str) -> float | None:
    return sandbox_of(system).totals("api-calls").get(tenant)


def test_usage_of_a_killed_worker_is_delivered_again_and_counted_once(redelivering_system: System) -> None:
    system, tenant = redelivering_system, f"tenant-{uuid.uuid4()}"
    sandbox_of(system).set_faults([{"kind": "delay", "seconds": CALL_SECONDS, "path": "/ingest", "times": 1}])
    send_usages(system, [_usage(tenant)])
    assert wait_until(lambda: sandbox_of(system).faults()[0]["struck"] == 1, TIMEOUT_SECONDS)
    assert kill_workers(system, INGEST_QUEUE) >= 1
    # The first call goes on without the worker, and another worker makes the second.
    assert wait_until(lambda: sandbox_of(system).requests()["records"] == 2, TIMEOUT_SECONDS)
    assert _total(system, tenant) == 3


def test_undeliverable_usage_waits_in_the_dead_letter_queue_and_is_counted_after_a_redrive(
    redelivering_system: System,
) -> None:
    system, tenant, other_tenant = redelivering_system, f"tenant-{uuid.uuid4()}", f"tenant-{uuid.uuid4()}"
    sandbox_of(system).set_faults([{"kind": "status", "status": 503, "path": "/ingest"}])
    event = {"records": [_usage(tenant), _usage(tenant, 4)]}
    send_usages(system, [event])
    letters = DeadLetters(system)
    deadline = time.monotonic() + TIMEOUT_SECONDS
    tenants: list[list[str]] = []
    while tenants != [[tenant]] and time.monotonic() < deadline:
        with letters.receive() as events:
            tenants = [event.tenants for event in events]
    assert tenants == [[tenant]]
    # Seven attempts in each of five deliveries; the last may still be running.
    assert wait_until(lambda: sandbox_of(system).faults()[0]["struck"] == 35, TIMEOUT_SECONDS)
    sandbox_of(system).clear_faults()
    send_usages(system, [_usage(other_tenant)])
    assert wait_until(lambda: _total(system, other_tenant) == 3, TIMEOUT_SECONDS)
    assert _total(system, tenant) is None
    with letters.receive() as (dead_event,):
        letters.redrive(dead_event)
    assert wait_until(lambda: _total(system, tenant) == 7, TIMEOUT_SECONDS)
    with letters.receive() as events:
        assert events == []
