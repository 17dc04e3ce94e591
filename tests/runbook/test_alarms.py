"""The condition behind each alarm, caused for real, and the runbook's way out of it.

The emulator evaluates no alarm, so a test reads the signal that the alarm watches, where the emulator has it, and holds
it against the deployed alarm's threshold.
"""

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.infra.operations import OPERATIONS
from amberflo_workflows.local.system import System
from tests.cli.metering import Metering
from tests.conftest import sandbox_of
from tests.entrypoints.calls import Api
from tests.polling import wait_until as within
from tests.runbook.alarms import Alarm, fetch_deployed, sum_emitted
from tests.runbook.sending import METER, build_usages, count_messages, expected_totals, send_usages
from tests.workflows.runner import Runner

pytestmark = pytest.mark.system

Alarms = dict[str, Alarm]
BAD_GATEWAY = {"kind": "status", "status": 503}


def wait_until(condition: Any) -> bool:
    """Whether something comes true, on a busy machine too."""
    return within(condition, 90)


@pytest.fixture
def alarms(system: System, template: dict[str, Any]) -> Alarms:
    return fetch_deployed(system, template)


@pytest.fixture
def metering(system: System, tmp_path: Path) -> Iterator[Metering]:
    """The command line of an operator; nothing of what waits is left to other tests."""
    yield Metering(system, tmp_path)
    for queue in ("UsageDeadLetterQueueUrl", "TenantDeadLetterQueueUrl"):
        system.client("sqs").purge_queue(QueueUrl=system.outputs[queue])


@pytest.fixture
def impatient(system: System) -> Iterator[System]:
    """Its queue delivers again after a second, not after half an hour, and twice, not five times."""
    queue, sqs = {"QueueUrl": system.outputs["UsageQueueUrl"]}, system.client("sqs")
    names = ["VisibilityTimeout", "RedrivePolicy"]
    before = sqs.get_queue_attributes(**queue, AttributeNames=names)["Attributes"]
    policy = json.dumps({**json.loads(before["RedrivePolicy"]), "maxReceiveCount": 2})
    sqs.set_queue_attributes(**queue, Attributes={"VisibilityTimeout": "1", "RedrivePolicy": policy})
    yield system
    sqs.set_queue_attributes(**queue, Attributes=before)


@pytest.fixture
def since() -> int:
    return int(time.time() * 1000)


def _done(metering: Metering, *arguments: str) -> str:
    """What a command of the runbook printed."""
    done = metering(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _failed(system: System, alarm: Alarm, since: int) -> int:
    """Executions that failed, of the machine that an alarm watches."""
    found = system.client("stepfunctions").list_executions(
        stateMachineArn=alarm.dimensions["StateMachineArn"], statusFilter="FAILED"
    )["executions"]
    return sum(one["startDate"].timestamp() * 1000 >= since for one in found)


def _visible(system: System, alarm: Alarm) -> int:
    """Messages in the queue that an alarm watches."""
    sqs = system.client("sqs")
    url = sqs.get_queue_url(QueueName=alarm.dimensions["QueueName"])["QueueUrl"]
    names = ["ApproximateNumberOfMessages"]
    return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"][names[0]])


def _tell(system: System, detail: dict[str, Any]) -> None:
    """A tenant event."""
    entry = {"EventBusName": system.outputs["EventBusName"], "Source": "sbt", "DetailType": "onboardingRequest"}
    assert (
        system.client("events").put_events(Entries=[{**entry, "Detail": json.dumps(detail)}])["FailedEntryCount"] == 0
    )


def test_a_failed_execution_is_found_its_error_told_and_the_same_succeeds_afterwards(
    metering: Metering, alarms: Alarms, since: int
) -> None:
    system, alarm = metering.system, alarms["ListMetersFailed"]
    sandbox_of(system).set_faults([BAD_GATEWAY])
    name = Runner(system, endpoint=None).run("list_meters", {}).arn.rsplit(":", 1)[1]
    assert (alarm.namespace, alarm.metric) == ("AWS/States", "ExecutionsFailed")
    assert _failed(system, alarm, since) >= alarm.threshold
    assert name[:8] in _done(metering, "executions", "list", "--status", "failed", "--since", "1h")
    assert "AmberfloUnavailable" in _done(metering, "executions", "show", name)
    sandbox_of(system).clear_faults()
    _done(metering, "executions", "start", "--like", name)


def test_every_workflow_has_its_two_alarms_on_its_own_machine_and_a_limit_to_run_out_of(
    system: System, alarms: Alarms
) -> None:
    # The emulator keeps no machine's TimeoutSeconds, so an execution that runs out of time cannot be had here.
    for operation in OPERATIONS:
        watched = {"StateMachineArn": system.state_machine_arns[operation.name]}
        for suffix, metric in (("Failed", "ExecutionsFailed"), ("TimedOut", "ExecutionsTimedOut")):
            assert alarms[f"{operation.pascal_name}{suffix}"] == Alarm("AWS/States", metric, watched, "Sum", 1)
        assert json.loads(operation.definition)["TimeoutSeconds"] > 0


def test_refused_usage_is_mended_and_counts_once(metering: Metering, alarms: Alarms, since: int) -> None:
    system, given = metering.system, build_usages(1)
    send_usages(system, [{key: value for key, value in given[0].items() if key != "meterApiName"}])
    assert wait_until(lambda: sum_emitted(system, alarms["UsageRejected"], since) >= alarms["UsageRejected"].threshold)
    tenant = given[0]["tenantId"]
    (item,) = metering.json("rejected", "list", "--tenant", tenant)
    assert "meterApiName" in _done(metering, "rejected", "show", item["id"])
    _done(metering, "rejected", "redrive", item["id"], "--set", f"meterApiName={METER}")
    assert metering.json("rejected", "list", "--tenant", tenant) == []
    assert sandbox_of(system).totals(METER) == expected_totals(given)


def test_dead_usage_is_sent_again_and_counts_once(
    impatient: System, metering: Metering, alarms: Alarms, since: int
) -> None:
    given = build_usages(3)
    sandbox_of(impatient).set_faults([{**BAD_GATEWAY, "path": "/ingest"}])
    send_usages(impatient, given)
    assert wait_until(
        lambda: _visible(impatient, alarms["UsageDead"]) >= max(len(given), alarms["UsageDead"].threshold)
    )
    assert _failed(impatient, alarms["IngestUsageFailed"], since) >= alarms["IngestUsageFailed"].threshold
    failed = ("executions", "list", "--workflow", "ingest_usage", "--status", "failed", "--since", "1d")
    assert "ingest_usage" in _done(metering, *failed)
    sandbox_of(impatient).clear_faults()
    # An age is what the emulator does not keep; that of the oldest event is listed.
    assert {event["since"][:4] for event in metering.json("dead", "list")} == {time.strftime("%Y", time.gmtime())}
    _done(metering, "dead", "redrive", "--all")
    assert wait_until(lambda: sandbox_of(impatient).totals(METER) == expected_totals(given))
    assert metering.json("dead", "list") == []


def test_a_dead_tenant_event_is_sent_again_and_makes_the_customer(metering: Metering, alarms: Alarms) -> None:
    system, tenant = metering.system, f"tenant-{uuid.uuid4()}"
    sandbox_of(system).set_faults([{**BAD_GATEWAY, "path": "/customers*"}])
    _tell(system, {"tenantId": tenant})
    assert wait_until(lambda: _visible(system, alarms["TenantDead"]) >= alarms["TenantDead"].threshold)
    sandbox_of(system).clear_faults()
    assert [event["tenants"] for event in metering.json("dead", "list", "--tenant", tenant)] == [[tenant]]
    _done(metering, "dead", "redrive", "--tenant", tenant)
    assert wait_until(lambda: tenant in sandbox_of(system).customers())
    assert metering.json("dead", "list", "--tenant", tenant) == []


def test_a_refused_tenant_event_is_sent_anew_and_dropped(metering: Metering, alarms: Alarms, since: int) -> None:
    system, tenant, alarm = metering.system, f"tenant-{uuid.uuid4()}", alarms["TenantRejected"]
    _tell(system, {"tenant": tenant})
    assert wait_until(lambda: sum_emitted(system, alarm, since) >= alarm.threshold)
    assert wait_until(lambda: tenant in _done(metering, "rejected", "list", "--json"))
    (item,) = [one for one in metering.json("rejected", "list") if tenant in one["original"]]
    _done(metering, "events", "send", "--type", "onboardingRequest", "--detail", json.dumps({"tenantId": tenant}))
    assert wait_until(lambda: tenant in sandbox_of(system).customers())
    _done(metering, "rejected", "drop", item["id"], "--why", "sent anew")
    assert item["id"] not in _done(metering, "rejected", "list", "--json")


@pytest.mark.parametrize(
    ("alarm", "queue", "days"),
    [
        ("UsageLate", "UsageQueueUrl", 1 / 96),
        ("UsageDeadForLong", "UsageDeadLetterQueueUrl", 10),
        ("TenantDeadForLong", "TenantDeadLetterQueueUrl", 10),
    ],
)
def test_what_grows_old_is_told_long_before_it_is_forgotten(
    system: System, alarms: Alarms, alarm: str, queue: str, days: float
) -> None:
    url = system.outputs[queue]
    assert alarms[alarm] == Alarm(
        "AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": url.rsplit("/", 1)[1]}, "Maximum", days * 86_400
    )
    kept = system.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["MessageRetentionPeriod"])
    assert int(kept["Attributes"]["MessageRetentionPeriod"]) >= alarms[alarm].threshold + 4 * 86_400


def test_usage_that_nobody_takes_grows_old_and_counts_once_when_the_consumer_is_back(system: System) -> None:
    functions, given = system.client("lambda"), build_usages(5)
    function = system.outputs["IngestQueueFunctionName"]
    (mapping,) = functions.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    try:
        send_usages(system, given)
        # The emulator has no age of a queue: it is the time since the oldest of these was sent.
        time.sleep(1)
        assert count_messages(system) == len(given)
        assert sandbox_of(system).totals(METER) == {}
    finally:
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
    assert wait_until(lambda: count_messages(system) == 0)
    assert sandbox_of(system).totals(METER) == expected_totals(given)


def test_callers_who_get_server_errors_are_served_again_when_amberflo_is(metering: Metering, alarms: Alarms) -> None:
    api, alarm = Api(metering.system), alarms["ApiServerErrors"]
    assert (alarm.metric, alarm.dimensions) == ("5xx", {"ApiId": metering.system.outputs["HttpApiId"]})
    sandbox_of(metering.system).set_faults([BAD_GATEWAY])
    statuses = [api.call("GET", "meters").status for _ in range(int(alarm.threshold))]
    assert sum(status >= 500 for status in statuses) >= alarm.threshold
    assert "list_meters" in _done(metering, "executions", "list", "--status", "failed", "--since", "1h")
    sandbox_of(metering.system).clear_faults()
    _done(metering, "meters", "list")


@pytest.mark.parametrize("name", ["Api", "IngestQueue"])
def test_a_function_that_ends_with_a_fault_has_its_stack_trace_in_the_log(
    metering: Metering, alarms: Alarms, name: str
) -> None:
    function = alarms[f"{name}Errors"].dimensions["FunctionName"]
    marker = f"marker-{uuid.uuid4()}"
    answer = metering.system.client("lambda").invoke(FunctionName=function, Payload=json.dumps([marker]))
    assert answer["FunctionError"] == "Unhandled"
    assert wait_until(lambda: "Traceback" in _done(metering, "logs", "--minutes", "15"))


@pytest.mark.parametrize(
    ("rule", "detail_types"),
    [
        ("UsageEvents", {"ingestUsage"}),
        ("CreateCustomerEvents", {"onboardingRequest"}),
        ("DeleteCustomerEvents", {"offboardingRequest"}),
    ],
)
def test_events_that_are_lost_are_counted_for_each_rule(
    system: System, alarms: Alarms, rule: str, detail_types: set[str]
) -> None:
    # The emulator does not use a rule's dead-letter queue, so an event that is lost cannot be had here.
    alarm, bus = alarms[f"{rule}Lost"], system.outputs["EventBusName"]
    assert (alarm.namespace, alarm.metric, alarm.threshold) == ("AWS/Events", "InvocationsFailedToBeSentToDlq", 1)
    assert alarm.dimensions["EventBusName"] == bus
    rules = system.client("events").list_rules(EventBusName=bus)["Rules"]
    (watched,) = [one for one in rules if one["Name"] == alarm.dimensions["RuleName"]]
    assert set(json.loads(watched["EventPattern"])["detail-type"]) & detail_types
