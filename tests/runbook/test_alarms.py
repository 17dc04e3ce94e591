"""Cause the condition of each alarm, then fix it as the runbook says.

The emulator does not evaluate alarms. A test reads the metric of an alarm, where the emulator has it, and compares it
with the threshold of the deployed alarm.
"""

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.infra.operations import OPERATIONS
from amberflo_workflows.local.system import STACK, System
from tests.cli.metering import Metering
from tests.conftest import sandbox_of
from tests.entrypoints.calls import Api
from tests.polling import wait_until
from tests.runbook.alarms import Alarm, fetch_deployed, sum_emitted
from tests.runbook.sending import METER, build_usages, count_messages, expected_totals, send_usages
from tests.workflows.runner import Runner

pytestmark = [pytest.mark.long, pytest.mark.system, pytest.mark.meters("api-calls")]

Alarms = dict[str, Alarm]
UNAVAILABLE = {"kind": "status", "status": 503}
AFTER_OUTAGE = "a chunk was not sent while Amberflo is unavailable"


@pytest.fixture
def alarms(system: System, template: dict[str, Any]) -> Alarms:
    return fetch_deployed(system, template)


@pytest.fixture
def metering(system: System, tmp_path: Path) -> Metering:
    return Metering(system, tmp_path)


@pytest.fixture
def quick_redelivery(system: System) -> Iterator[System]:
    """The usage queue redelivers a message after a second instead of half an hour, and once instead of four times."""
    queue, sqs = {"QueueUrl": system.outputs["UsageQueueUrl"]}, system.client("sqs")
    names = ["VisibilityTimeout", "RedrivePolicy"]
    original = sqs.get_queue_attributes(**queue, AttributeNames=names)["Attributes"]
    policy = json.dumps({**json.loads(original["RedrivePolicy"]), "maxReceiveCount": 2})
    sqs.set_queue_attributes(**queue, Attributes={"VisibilityTimeout": "1", "RedrivePolicy": policy})
    yield system
    sqs.set_queue_attributes(**queue, Attributes=original)


@pytest.fixture
def since() -> int:
    return int(time.time() * 1000)


def _run(metering: Metering, *arguments: str) -> str:
    """Run a command of the runbook and return its output."""
    process = metering(*arguments)
    assert process.returncode == 0, process.stderr
    return process.stdout


def _count_failed(system: System, workflow: str, since: int) -> int:
    """Count the failed executions of a workflow. The emulator writes no execution logs, which the alarm counts in."""
    executions = system.client("stepfunctions").list_executions(
        stateMachineArn=system.state_machine_arns[workflow], statusFilter="FAILED"
    )["executions"]
    return sum(execution["startDate"].timestamp() * 1000 >= since for execution in executions)


def _count_visible(system: System, alarm: Alarm) -> int:
    """Count the visible messages of the queue that an alarm watches."""
    sqs = system.client("sqs")
    url = sqs.get_queue_url(QueueName=alarm.dimensions["QueueName"])["QueueUrl"]
    names = ["ApproximateNumberOfMessages"]
    return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"][names[0]])


def _send_onboarding(system: System, detail: dict[str, Any]) -> None:
    """Send an event that onboards a tenant."""
    entry = {"EventBusName": system.outputs["EventBusName"], "Source": "sbt", "DetailType": "onboardingRequest"}
    assert (
        system.client("events").put_events(Entries=[{**entry, "Detail": json.dumps(detail)}])["FailedEntryCount"] == 0
    )


def test_a_failed_execution_is_listed_with_its_error_and_can_be_started_again(
    metering: Metering, alarms: Alarms, since: int
) -> None:
    system, alarm = metering.system, alarms["ExecutionFailed"]
    sandbox_of(system).set_faults([UNAVAILABLE])
    name = Runner(system, endpoint=None).run("list_meters", {}).arn.rsplit(":", 1)[1]
    assert _count_failed(system, "list_meters", since) >= alarm.threshold
    assert name[:8] in _run(metering, "executions", "list", "--status", "failed", "--since", "1h")
    assert "AmberfloUnavailable" in _run(metering, "executions", "show", name)
    sandbox_of(system).clear_faults()
    _run(metering, "executions", "start", "--like", name)


def test_each_workflow_counts_its_failures_for_the_alarm_and_has_a_time_limit(system: System, alarms: Alarms) -> None:
    # The emulator ignores a state machine's TimeoutSeconds, so no execution can time out here.
    alarm = alarms["ExecutionFailed"]
    assert (alarm.namespace, alarm.dimensions, alarm.statistic, alarm.threshold) == ("AmberfloWorkflows", {}, "Sum", 1)
    response = system.client("logs").describe_metric_filters(metricNamespace=alarm.namespace, metricName=alarm.metric)
    groups = [metric_filter["logGroupName"] for metric_filter in response["metricFilters"]]
    assert all(group.startswith(f"/aws/vendedlogs/states/{STACK}/") for group in groups)
    assert len(set(groups)) == len(OPERATIONS)
    assert all(json.loads(operation.definition)["TimeoutSeconds"] > 0 for operation in OPERATIONS)


def test_rejected_usage_is_edited_redriven_and_counted_once(metering: Metering, alarms: Alarms, since: int) -> None:
    system, usages = metering.system, build_usages(1)
    send_usages(system, [{key: value for key, value in usages[0].items() if key != "meterApiName"}])
    assert wait_until(lambda: sum_emitted(system, alarms["Rejected"], since) >= alarms["Rejected"].threshold)
    tenant = usages[0]["tenantId"]
    (item,) = metering.json("rejected", "list", "--tenant", tenant)
    assert "meterApiName" in _run(metering, "rejected", "show", item["id"])
    _run(metering, "rejected", "redrive", item["id"], "--set", f"meterApiName={METER}")
    assert metering.json("rejected", "list", "--tenant", tenant) == []
    assert sandbox_of(system).totals(METER) == expected_totals(usages)


def test_dead_usage_is_redriven_and_counted_once(
    quick_redelivery: System, metering: Metering, alarms: Alarms, since: int
) -> None:
    usages = build_usages(3)
    sandbox_of(quick_redelivery).set_faults([{**UNAVAILABLE, "path": "/ingest"}])
    send_usages(quick_redelivery, usages)
    assert wait_until(
        lambda: _count_visible(quick_redelivery, alarms["UsageDead"]) >= max(len(usages), alarms["UsageDead"].threshold)
    )
    assert _count_failed(quick_redelivery, "ingest_usage", since) >= alarms["ExecutionFailed"].threshold
    failed = ("executions", "list", "--workflow", "ingest_usage", "--status", "failed", "--since", "1d")
    assert "ingest_usage" in _run(metering, *failed)
    sandbox_of(quick_redelivery).clear_faults()
    # The emulator has no metric for the age of a queue; the command lists when each event was sent.
    start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(since / 1000))
    events = metering.json("dead", "list")
    assert all(event["since"] >= start for event in events)
    # Each was delivered twice.
    attempts = metering.json("dead", "explain", events[0]["id"])
    assert {attempt["reason"] for attempt in attempts} <= {"AmberfloUnavailable", AFTER_OUTAGE}
    assert len(attempts) == 2
    arns = [attempt["execution_arn"] for attempt in attempts if attempt["execution_arn"]]
    assert "AmberfloUnavailable" in _run(metering, "dead", "explain", events[0]["id"])
    assert json.loads(_run(metering, "executions", "show", arns[0], "--json"))["status"] == "failed"
    _run(metering, "dead", "redrive", "--all")
    assert wait_until(lambda: sandbox_of(quick_redelivery).totals(METER) == expected_totals(usages))
    assert metering.json("dead", "list") == []


def test_a_dead_tenant_event_is_redriven_and_creates_the_customer(metering: Metering, alarms: Alarms) -> None:
    system, tenant = metering.system, f"tenant-{uuid.uuid4()}"
    sandbox_of(system).set_faults([{**UNAVAILABLE, "path": "/customers*"}])
    _send_onboarding(system, {"tenantId": tenant})
    assert wait_until(lambda: _count_visible(system, alarms["TenantDead"]) >= alarms["TenantDead"].threshold)
    sandbox_of(system).clear_faults()
    (event,) = metering.json("dead", "list", "--tenant", tenant)
    assert event["tenants"] == [tenant]
    (attempt,) = metering.json("dead", "explain", event["id"])
    assert attempt["reason"].startswith("AmberfloUnavailable: ")
    assert _run(metering, "executions", "show", attempt["execution_arn"])
    _run(metering, "dead", "redrive", "--tenant", tenant)
    assert wait_until(lambda: tenant in sandbox_of(system).customers())
    assert metering.json("dead", "list", "--tenant", tenant) == []


def test_a_rejected_tenant_event_is_sent_again_and_dropped(metering: Metering, alarms: Alarms, since: int) -> None:
    system, tenant, alarm = metering.system, f"tenant-{uuid.uuid4()}", alarms["Rejected"]
    _send_onboarding(system, {"tenant": tenant})
    assert wait_until(lambda: sum_emitted(system, alarm, since) >= alarm.threshold)
    assert wait_until(lambda: tenant in _run(metering, "rejected", "list", "--json"))
    (item,) = [item for item in metering.json("rejected", "list") if tenant in item["original"]]
    _run(metering, "events", "send", "--type", "onboardingRequest", "--detail", json.dumps({"tenantId": tenant}))
    assert wait_until(lambda: tenant in sandbox_of(system).customers())
    _run(metering, "rejected", "drop", item["id"], "--why", "sent again", "--yes")
    assert item["id"] not in _run(metering, "rejected", "list", "--json")


@pytest.mark.parametrize(
    ("alarm", "queue", "days"),
    [
        ("UsageLate", "UsageQueueUrl", 1 / 96),
        ("UsageDeadForLong", "UsageDeadLetterQueueUrl", 10),
        ("TenantDeadForLong", "TenantDeadLetterQueueUrl", 10),
    ],
    ids=["UsageLate", "UsageDeadForLong", "TenantDeadForLong"],
)
def test_an_alarm_reports_old_messages_days_before_they_expire(
    system: System, alarms: Alarms, alarm: str, queue: str, days: float
) -> None:
    url = system.outputs[queue]
    assert alarms[alarm] == Alarm(
        "AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": url.rsplit("/", 1)[1]}, "Maximum", days * 86_400
    )
    response = system.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["MessageRetentionPeriod"])
    assert int(response["Attributes"]["MessageRetentionPeriod"]) >= alarms[alarm].threshold + 4 * 86_400


def test_usage_waits_for_a_disabled_consumer_and_is_counted_once(system: System) -> None:
    functions, usages = system.client("lambda"), build_usages(5)
    function = system.outputs["IngestQueueFunctionName"]
    (mapping,) = functions.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    try:
        send_usages(system, usages)
        assert wait_until(lambda: count_messages(system) == len(usages))
        assert sandbox_of(system).totals(METER) == {}
    finally:
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
    assert wait_until(lambda: count_messages(system) == 0)
    assert sandbox_of(system).totals(METER) == expected_totals(usages)


def test_server_errors_end_when_amberflo_is_available_again(metering: Metering, alarms: Alarms) -> None:
    api, alarm = Api(metering.system), alarms["ApiServerErrors"]
    assert (alarm.metric, alarm.dimensions) == ("5xx", {"ApiId": metering.system.outputs["HttpApiId"]})
    sandbox_of(metering.system).set_faults([UNAVAILABLE])
    statuses = [api.call("GET", "meters").status for _ in range(int(alarm.threshold))]
    assert sum(status >= 500 for status in statuses) >= alarm.threshold
    assert "list_meters" in _run(metering, "executions", "list", "--status", "failed", "--since", "1h")
    sandbox_of(metering.system).clear_faults()
    _run(metering, "meters", "list")


@pytest.mark.parametrize("name", ["Api", "IngestQueue"])
def test_the_stack_trace_of_a_failed_function_is_in_the_log(metering: Metering, alarms: Alarms, name: str) -> None:
    function = alarms[f"{name}Errors"].dimensions["FunctionName"]
    response = metering.system.client("lambda").invoke(FunctionName=function, Payload=json.dumps([]))
    assert response["FunctionError"] == "Unhandled"
    assert wait_until(lambda: "Traceback" in _run(metering, "logs", "--minutes", "15"))


def test_late_receipts_are_reported_long_before_firehose_drops_them(system: System, alarms: Alarms) -> None:
    alarm = alarms["LedgerLate"]
    assert (alarm.namespace, alarm.metric, alarm.statistic) == ("AWS/Firehose", "DeliveryToS3.DataFreshness", "Maximum")
    stream = system.client("firehose").describe_delivery_stream(**alarm.dimensions)["DeliveryStreamDescription"]
    (destination,) = stream["Destinations"]
    bucket = destination["ExtendedS3DestinationDescription"]["BucketARN"].rpartition(":")[2]
    assert bucket == system.outputs["LedgerBucketName"]
    # A day, according to AWS.
    assert alarm.threshold < 86_400 / 2


@pytest.mark.parametrize(
    ("rule", "detail_types"),
    [
        ("UsageEvents", {"ingestUsage"}),
        ("CreateCustomerEvents", {"onboardingRequest"}),
        ("DeleteCustomerEvents", {"offboardingRequest"}),
    ],
    ids=["UsageEvents", "CreateCustomerEvents", "DeleteCustomerEvents"],
)
def test_each_rule_has_an_alarm_for_lost_events(
    system: System, alarms: Alarms, rule: str, detail_types: set[str]
) -> None:
    # The emulator does not use a rule's dead-letter queue, so no event can be lost here.
    alarm, bus = alarms[f"{rule}Lost"], system.outputs["EventBusName"]
    assert (alarm.namespace, alarm.metric, alarm.threshold) == ("AWS/Events", "InvocationsFailedToBeSentToDlq", 1)
    assert alarm.dimensions["EventBusName"] == bus
    rules = system.client("events").list_rules(EventBusName=bus)["Rules"]
    (watched,) = [item for item in rules if item["Name"] == alarm.dimensions["RuleName"]]
    assert set(json.loads(watched["EventPattern"])["detail-type"]) & detail_types
