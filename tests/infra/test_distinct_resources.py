from typing import Any

from tests.infra.distinct_resources import Remainder, leave_out_repeated

TOPIC = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "x"}}
OTHER_TOPIC = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "y"}}
QUEUE = {"Type": "AWS::SQS::Queue"}
ALARM = {"Type": "AWS::CloudWatch::Alarm", "Condition": "Alarms", "Properties": {"AlarmActions": [{"Ref": "Target"}]}}
ALWAYS = {"Conditions": {"Alarms": {"Fn::Equals": ["a", "a"]}}}
NEVER = {"Conditions": {"Alarms": {"Fn::Equals": ["a", "b"]}}}


def _leave_out(first: dict[str, Any], second: dict[str, Any], **sections: Any) -> Remainder:
    templates = {"first": {"Resources": first, **ALWAYS}, "second": {"Resources": second, **ALWAYS, **sections}}
    remainders = leave_out_repeated(templates)
    assert remainders["first"] == Remainder(templates["first"], set())
    return remainders["second"]


def test_only_the_type_of_a_repeated_resource_is_left() -> None:
    remainder = _leave_out({"Same": TOPIC, "Other": TOPIC}, {"Same": TOPIC, "Other": OTHER_TOPIC}, Outputs={})
    resources = {"Same": {"Type": "AWS::SNS::Topic"}, "Other": OTHER_TOPIC}
    assert remainder == Remainder({"Resources": resources, **ALWAYS, "Outputs": {}}, {"Same"})


def test_a_resource_under_another_name_is_not_repeated() -> None:
    assert _leave_out({"Topic": TOPIC}, {"Renamed": TOPIC}).repeated == set()


def test_a_resource_that_refers_to_another_type_is_not_repeated() -> None:
    first = {"Target": TOPIC, "Alarm": ALARM}
    assert _leave_out(first, {"Target": OTHER_TOPIC, "Alarm": ALARM}).repeated == {"Alarm"}
    assert _leave_out(first, {"Target": QUEUE, "Alarm": ALARM}).repeated == set()
    assert _leave_out(first, {"Alarm": ALARM}).repeated == set()


def test_a_resource_with_another_condition_is_not_repeated() -> None:
    assert _leave_out({"Alarm": ALARM}, {"Alarm": ALARM}).repeated == {"Alarm"}
    assert _leave_out({"Alarm": ALARM}, {"Alarm": ALARM}, **NEVER).repeated == set()
