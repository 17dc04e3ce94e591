import json
import time
import uuid
from typing import Any

import pytest

from amberflo_workflows.local.deploy import put_secret
from amberflo_workflows.local.system import SECRET
from amberflo_workflows.operate.rejected.dead_letters import DeadLetters
from amberflo_workflows.operate.rejected.item_filter import ItemFilter
from amberflo_workflows.operate.rejected.table import RejectedTable
from tests.conftest import sandbox_of
from tests.polling import wait_until
from tests.workflows.runner import Runner

pytestmark = pytest.mark.emulator

WORKFLOWS = ("create_customer", "delete_customer")
every_workflow = pytest.mark.parametrize("workflow", WORKFLOWS)


@pytest.fixture
def tenant() -> str:
    return f"tenant-{uuid.uuid4()}"


def _build_event(workflow: str, detail: Any) -> dict[str, Any]:
    detail_type = "onboardingRequest" if workflow == "create_customer" else "offboardingRequest"
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": "controlPlaneEventSource",
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "detail": detail,
    }


def _customer(runner: Runner, tenant: str) -> Any:
    # An old event, which returns the customer and changes no stage.
    event = {**_build_event("create_customer", {"tenantId": tenant}), "time": "2020-01-01T00:00:00Z"}
    execution = runner.run("create_customer", event)
    return execution.output["body"]["data"]


@every_workflow
def test_a_tenant_event_sets_the_stage_of_its_customer(runner: Runner, tenant: str, workflow: str) -> None:
    for _ in range(2):
        execution = runner.run(
            workflow, _build_event(workflow, {"tenantData": {"tenantId": tenant, "tenantName": "Acme"}})
        )
        assert (execution.status, execution.output["statusCode"]) == ("SUCCEEDED", 200), execution
        assert execution.output["body"]["data"]["customerId"] == tenant
    stage = _customer(runner, tenant)["lifecycleStage"]
    assert stage == ("ONBOARDING" if workflow == "create_customer" else "OFFBOARDED")


@every_workflow
def test_a_rotated_key_is_used(runner: Runner, tenant: str, workflow: str) -> None:
    key = f"rotated-{tenant}"
    sandbox_of(runner.system).set_keys([key])
    put_secret(runner.system.emulator, SECRET, {"apiKey": key})
    execution = runner.run(workflow, _build_event(workflow, {"tenantId": tenant}))
    assert execution.status == "SUCCEEDED"
    assert "RefreshApiKey" in execution.states


@every_workflow
@pytest.mark.parametrize("fault", ["amberflo", "key", "secret"])
def test_an_event_that_fails_is_in_the_dead_letter_queue_and_succeeds_when_it_is_redriven(
    runner: Runner, tenant: str, workflow: str, fault: str
) -> None:
    system, key = runner.system, f"key-{tenant}"
    put_secret(system.emulator, SECRET, {"other": "x"} if fault == "secret" else {"apiKey": key})
    sandbox_of(system).set_keys(["another"] if fault == "key" else [key])
    if fault == "amberflo":
        sandbox_of(system).set_faults([{"kind": "status", "status": 503}])
    event = _build_event(workflow, {"tenantId": tenant})
    execution = runner.run(workflow, event)
    assert (execution.status, execution.error) == ("FAILED", "TenantEventParked")
    assert execution.states[-2:] == ["SendToDeadLetterQueue", "TenantEventFailed"]
    sandbox_of(system).clear_faults()
    sandbox_of(system).set_keys([key])
    put_secret(system.emulator, SECRET, {"apiKey": key})
    letters = DeadLetters(system)
    with letters.receive() as dead:
        (dead_event,) = [item for item in dead if item.tenants == [tenant]]
        assert (json.loads(dead_event.text), dead_event.workflow) == (event, workflow)
        letters.redrive(dead_event)
    stages = {"create_customer": "ONBOARDING", "delete_customer": "OFFBOARDED"}
    assert wait_until(lambda: _stage(runner, tenant) == stages[workflow])
    with letters.receive() as dead:
        assert [item for item in dead if item.tenants == [tenant]] == []


def _stage(runner: Runner, tenant: str) -> str:
    return str(sandbox_of(runner.system).customers().get(tenant, {}).get("lifecycleStage", ""))


@every_workflow
def test_an_event_without_a_tenant_is_saved_once_with_its_reason_and_can_be_dropped(
    runner: Runner, workflow: str
) -> None:
    event = _build_event(workflow, {"nobody": "here"})
    for _ in range(2):
        execution = runner.run(workflow, event)
        assert (execution.status, execution.output["statusCode"]) == ("SUCCEEDED", 400)
    table = RejectedTable(runner.system)
    (saved,) = [item for item in table.list_items(ItemFilter()) if event["id"] in item.id]
    assert (saved.reason, json.loads(saved.original)) == ("there is no tenantId in the event's detail", event)
    dropped = table.drop(saved, "test")
    assert (dropped.status, json.loads(dropped.original)) == ("dropped", event)


@pytest.mark.parametrize("prefix", ["", "sbt_aws_"])
def test_events_of_both_generations_reach_the_workflows_through_the_bus(
    runner: Runner, tenant: str, prefix: str
) -> None:
    bus = runner.system.outputs["EventBusName"]
    for detail_type, stage in (("onboardingRequest", "ONBOARDING"), ("offboardingRequest", "OFFBOARDED")):
        entry = {
            "EventBusName": bus,
            "Source": "sbt.control.plane",
            "DetailType": prefix + detail_type,
            "Detail": json.dumps({"tenantId": tenant}),
        }
        assert runner.system.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0
        assert wait_until(lambda expected=stage: _stage(runner, tenant) == expected)  # type: ignore[misc] # a default


@every_workflow
@pytest.mark.parametrize("filler", ['"', "\U0001f600"], ids=["quotes", "emoji"])
def test_a_rejected_event_that_is_too_large_for_the_table_is_in_the_dead_letter_queue(
    runner: Runner, workflow: str, filler: str
) -> None:
    event = _build_event(workflow, {"nobody": ""})
    free_bytes = 260_000 - len(json.dumps(event))
    event["detail"]["nobody"] = filler * (free_bytes // len(json.dumps(filler, ensure_ascii=False).encode()[1:-1]))
    execution = runner.run(workflow, event)
    assert max(runner.payloads(execution.arn)) <= 262_144
    assert (execution.status, execution.error) == ("FAILED", "TenantEventParked")
    letters = DeadLetters(runner.system)
    with letters.receive() as dead:
        events = [item for item in dead if item.workflow == workflow and json.loads(item.text) == event]
        assert len(events) == 1
        letters.drop(events[0], "test")
