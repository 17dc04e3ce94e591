"""Alarms reach the people they are meant for. AWS evaluates what neither the linters nor the emulator do."""

import json
from typing import Any

from amberflo_workflows.infra.operations import OPERATIONS
from tests.bench.designs import AFTER
from tests.infra.conftest import get_resources
from tests.runbook.alarms import alarm_names

Templates = dict[str, dict[str, Any]]

ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")
ALARMS_OF_THIS_ACCOUNT = {
    "Action": "sns:Publish",
    "Effect": "Allow",
    "Principal": {"Service": "cloudwatch.amazonaws.com"},
    "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
}

# The metrics that Lambdas emit.
EMITTED = ("Rejected", "UsageDrift")


def _list_alarm_topics(template: dict[str, Any]) -> set[str]:
    alarms = get_resources(template, "AWS::CloudWatch::Alarm").values()
    return {action["Ref"] for alarm in alarms for name in ACTIONS for action in alarm.get(name, [])}


def _list_statements(template: dict[str, Any], topic: str) -> list[dict[str, Any]]:
    policies = get_resources(template, "AWS::SNS::TopicPolicy").values()
    statements = [
        statement
        for policy in policies
        if {"Ref": topic} in policy["Topics"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]
    return [{key: value for key, value in item.items() if key != "Sid"} for item in statements]


def test_cloudwatch_may_publish_to_the_topic_of_every_alarm(variants: Templates) -> None:
    # A policy with only the Deny of enforce_ssl replaces SNS's default policy, and no alarm would ever arrive.
    topics = {name: _list_alarm_topics(template) for name, template in variants.items()}
    assert sum(map(len, topics.values())) == 4
    for name, template in variants.items():
        for topic in topics[name]:
            assert {**ALARMS_OF_THIS_ACCOUNT, "Resource": {"Ref": topic}} in _list_statements(template, topic), name


def test_cloudwatch_may_use_the_key_of_an_encrypted_topic(variants: Templates) -> None:
    template = variants["TwoDeployments"]
    (topic,) = _list_alarm_topics(template)
    key = get_resources(template, "AWS::SNS::Topic")[topic]["KmsMasterKeyId"]["Fn::GetAtt"][0]
    statements = get_resources(template, "AWS::KMS::Key")[key]["KeyPolicy"]["Statement"]
    assert {
        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Resource": "*",
    } in statements


def _list_own_metrics(template: dict[str, Any]) -> list[dict[str, Any]]:
    """The alarms of metrics in our namespace. CloudWatch charges for these metrics, and not for those of AWS."""
    alarms = get_resources(template, "AWS::CloudWatch::Alarm").values()
    return [alarm for alarm in alarms if alarm["Namespace"] == "AmberfloWorkflows"]


def _list_deployments(template: dict[str, Any]) -> set[str]:
    functions = get_resources(template, "AWS::Lambda::Function").values()
    return {json.dumps(function["Environment"]["Variables"]["DEPLOYMENT_NAME"]) for function in functions}


def test_each_deployment_has_metrics_and_alarms_of_its_own(variants: Templates) -> None:
    for name, template in variants.items():
        deployments = _list_deployments(template)
        assert len(deployments) == (2 if name == "TwoDeployments" else 1)
        # The stack's name makes them differ in an account, and the construct's own in a stack.
        assert all('{"Ref": "AWS::StackName"}' in deployment for deployment in deployments)
        own = _list_own_metrics(template)
        for metric in EMITTED:
            values = [json.dumps(alarm["Dimensions"][0]["Value"]) for alarm in own if alarm["MetricName"] == metric]
            assert sorted(values) == sorted(deployments)
        failed = [json.dumps(alarm["MetricName"]) for alarm in own if alarm["MetricName"] not in EMITTED]
        names = [json.loads(deployment)["Fn::Join"][1] for deployment in deployments]
        assert sorted(failed) == sorted(json.dumps({"Fn::Join": ["", ["ExecutionsFailed/", *name]]}) for name in names)


def _list_watched_logs(template: dict[str, Any], metric: Any) -> set[str]:
    """The log groups in which the ends of failed executions are counted in a metric without dimensions."""
    groups = set()
    for item in get_resources(template, "AWS::Logs::MetricFilter").values():
        (transformation,) = item["MetricTransformations"]
        assert transformation.items() >= {"MetricNamespace": "AmberfloWorkflows", "MetricValue": "1"}.items()
        # With a default value, the metric would have values, and a price, in every hour.
        assert not transformation.keys() & {"DefaultValue", "Dimensions"}
        assert item["FilterPattern"] == '{ ($.type = "ExecutionFailed") || ($.type = "ExecutionTimedOut") }'
        if transformation["MetricName"] == metric:
            groups.add(item["LogGroupName"]["Ref"])
    return groups


def test_a_failure_of_any_workflow_starts_the_alarm_of_its_deployment(variants: Templates) -> None:
    for name, template in variants.items():
        machines = get_resources(template, "AWS::StepFunctions::StateMachine").values()
        logs = [
            destination["CloudWatchLogsLogGroup"]["LogGroupArn"]["Fn::GetAtt"][0]
            for machine in machines
            for destination in machine["LoggingConfiguration"]["Destinations"]
        ]
        assert len(set(logs)) == len(machines) == len(OPERATIONS) * len(_list_deployments(template))
        # No log is without failures.
        assert {machine["LoggingConfiguration"]["Level"] for machine in machines} <= {"ALL", "ERROR"}
        alarms = [alarm for alarm in _list_own_metrics(template) if alarm["MetricName"] not in EMITTED]
        watched = [_list_watched_logs(template, alarm["MetricName"]) for alarm in alarms]
        assert sorted(log for group in watched for log in group) == sorted(logs), name
        assert [alarm["Threshold"] for alarm in alarms] == [1] * len(_list_deployments(template))


# Each kind of failure, and the alarm that starts: all that one alarm each reported in earlier releases.
COVERAGE = {
    "an execution of any workflow failed or timed out": "ExecutionFailed",
    "usage or a tenant event was rejected": "Rejected",
    "usage is in the dead-letter queue": "UsageDead",
    "usage will expire in the dead-letter queue": "UsageDeadForLong",
    "usage waits for long": "UsageLate",
    "receipts of usage wait for long": "LedgerLate",
    "Amberflo reports other usage than the ledger has": "UsageDrift",
    "a tenant event is in the dead-letter queue": "TenantDead",
    "a tenant event will expire in the dead-letter queue": "TenantDeadForLong",
    "EventBridge lost a usage event": "UsageEventsLost",
    "EventBridge lost an onboarding event": "CreateCustomerEventsLost",
    "EventBridge lost an offboarding event": "DeleteCustomerEventsLost",
    "callers get server errors": "ApiServerErrors",
    "the function api fails": "ApiErrors",
    "the function ingest_queue fails": "IngestQueueErrors",
}


def test_every_kind_of_failure_has_an_alarm_with_one_metric(variants: Templates) -> None:
    # CloudWatch charges for each metric of an alarm.
    names = alarm_names(variants["Plain"])
    assert sorted(names.values()) == sorted(COVERAGE.values())
    assert len(names) == AFTER.alarms
    alarms = get_resources(variants["Plain"], "AWS::CloudWatch::Alarm")
    assert all("MetricName" in alarm and "Metrics" not in alarm for alarm in alarms.values())
    assert get_resources(variants["Plain"], "AWS::CloudWatch::CompositeAlarm") == {}


def test_the_dashboard_is_a_setting_and_shows_its_own_deployment_only(variants: Templates) -> None:
    dashboards = {name: get_resources(template, "AWS::CloudWatch::Dashboard") for name, template in variants.items()}
    assert {name: len(items) for name, items in dashboards.items() if items} == {"WithUsers": 1, "TwoDeployments": 2}
    widgets = [json.dumps(item) for items in dashboards.values() for item in items.values()]
    assert [(text.count("AmberfloWorkflows"), text.count('\\"deployment\\"')) for text in widgets] == [(1, 1)] * 3
