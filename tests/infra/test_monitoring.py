"""Alarms reach the people they are meant for. AWS evaluates what neither the linters nor the emulator do."""

import json
from typing import Any

from tests.infra.conftest import get_resources

ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")
ALARMS_OF_THIS_ACCOUNT = {
    "Action": "sns:Publish",
    "Effect": "Allow",
    "Principal": {"Service": "cloudwatch.amazonaws.com"},
    "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
}


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


def test_cloudwatch_may_publish_to_the_topic_of_every_alarm(variants: dict[str, dict[str, Any]]) -> None:
    # A policy with only the Deny of enforce_ssl replaces SNS's default policy, and no alarm would ever arrive.
    topics = {name: _list_alarm_topics(template) for name, template in variants.items()}
    assert sum(map(len, topics.values())) == 4
    for name, template in variants.items():
        for topic in topics[name]:
            assert {**ALARMS_OF_THIS_ACCOUNT, "Resource": {"Ref": topic}} in _list_statements(template, topic), name


def test_cloudwatch_may_use_the_key_of_an_encrypted_topic(variants: dict[str, dict[str, Any]]) -> None:
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


def _list_own_metrics(template: dict[str, Any]) -> list[dict[str, str]]:
    """The dimensions of the alarms' metrics that our Lambdas emit, and of those on the dashboards."""
    alarms = get_resources(template, "AWS::CloudWatch::Alarm").values()
    return [
        {dimension["Name"]: json.dumps(dimension["Value"]) for dimension in alarm["Dimensions"]}
        for alarm in alarms
        if alarm["Namespace"] == "AmberfloWorkflows"
    ]


def _list_deployments(template: dict[str, Any]) -> set[str]:
    functions = get_resources(template, "AWS::Lambda::Function").values()
    return {json.dumps(function["Environment"]["Variables"]["DEPLOYMENT_NAME"]) for function in functions}


def test_each_deployment_has_metrics_and_alarms_of_its_own(variants: dict[str, dict[str, Any]]) -> None:
    for name, template in variants.items():
        deployments = _list_deployments(template)
        assert len(deployments) == (2 if name == "TwoDeployments" else 1)
        # The stack's name makes them differ in an account, and the construct's own in a stack.
        assert all('{"Ref": "AWS::StackName"}' in deployment for deployment in deployments)
        for deployment in deployments:
            services = [item["service"] for item in _list_own_metrics(template) if item["deployment"] == deployment]
            assert sorted(services) == ['"customers"', '"send_usages"']
        widgets = json.dumps(list(get_resources(template, "AWS::CloudWatch::Dashboard").values()))
        assert widgets.count("AmberfloWorkflows") == widgets.count('\\"deployment\\"') == 2 * len(deployments)
