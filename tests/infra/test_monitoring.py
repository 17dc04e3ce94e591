"""Alarms reach the people they are meant for. AWS evaluates what neither the linters nor the emulator do."""

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
