"""No stack of ours exceeds a size limit of AWS, with names of the maximum length. docs/limits.md has the figures."""

import copy
import json
from typing import Any

import pytest

from tests.infra.sizes import Size, measure

Templates = dict[str, dict[str, Any]]
KINDS = {
    "template",
    "resources",
    "outputs",
    "parameters",
    "logical id",
    "name",
    "inline policies of a role",
    "trust policy",
    "policy of AWS::S3::BucketPolicy",
    "policy of AWS::SNS::TopicPolicy",
    "policy of AWS::SQS::QueuePolicy",
    "policy of a function",
    "environment variables",
    "event pattern",
    "definition",
    "metric",
}


def _list_excesses(template: dict[str, Any]) -> list[Size]:
    return [size for size in measure(template) if size.size > size.limit]


def test_everything_is_within_the_limits_of_aws(variants: Templates, every_setting: Templates) -> None:
    for name, template in (variants | every_setting).items():
        assert _list_excesses(template) == [], name


def test_every_kind_of_size_is_measured(every_setting: Templates) -> None:
    assert {size.what for size in measure(every_setting["AllWithPool"])} == KINDS


def _select(template: dict[str, Any], resource_type: str) -> list[dict[str, Any]]:
    return [item["Properties"] for item in template["Resources"].values() if item["Type"] == resource_type]


def _add_variable(template: dict[str, Any]) -> None:
    _select(template, "AWS::Lambda::Function")[0]["Environment"]["Variables"]["LONG"] = "x" * 4096


def _add_statements(template: dict[str, Any]) -> None:
    document = _select(template, "AWS::IAM::Role")[0]["Policies"][0]["PolicyDocument"]
    document["Statement"] *= 200


def _add_permissions(template: dict[str, Any]) -> None:
    permission = next(item for item in template["Resources"].values() if item["Type"] == "AWS::Lambda::Permission")
    template["Resources"] |= {f"Permission{number}": permission for number in range(60)}


def _add_resources(template: dict[str, Any]) -> None:
    template["Resources"] |= {f"Topic{number}": {"Type": "AWS::SNS::Topic"} for number in range(500)}


def _name_log_group(template: dict[str, Any]) -> None:
    _select(template, "AWS::Logs::LogGroup")[0]["LogGroupName"] = {
        "Fn::Join": ["", ["/x", {"Ref": "AWS::StackId"}] * 3]
    }


def _add_state(template: dict[str, Any]) -> None:
    machine = _select(template, "AWS::StepFunctions::StateMachine")[0]
    definition = json.loads(machine["DefinitionString"])
    definition["Comment"] = "x" * 1_048_576
    machine["DefinitionString"] = json.dumps(definition)


EXCESSES = {
    "environment variables": _add_variable,
    "inline policies of a role": _add_statements,
    "policy of a function": _add_permissions,
    "resources": _add_resources,
    "name": _name_log_group,
    "definition": _add_state,
}


@pytest.mark.parametrize("what", EXCESSES)
def test_an_excess_is_found(every_setting: Templates, what: str) -> None:
    template = copy.deepcopy(every_setting["AllWithPool"])
    EXCESSES[what](template)
    assert what in {size.what for size in _list_excesses(template)}
