"""Log delivery may write to all of its log groups, however many stacks are in an account."""

import json
import re
from collections.abc import Iterator
from typing import Any

from amberflo_workflows.infra.operations import OPERATIONS
from tests.infra.conftest import get_resources
from tests.infra.variants import LONGEST_STACK_NAME

Templates = dict[str, dict[str, Any]]
MAX_POLICY_LENGTH = 5_120
MAX_NAME_LENGTH = 512
STACKS_IN_AN_ACCOUNT = 100
ARN = "arn:aws-us-gov:logs:us-gov-west-1:123456789012:log-group:"


def _list_destinations(template: dict[str, Any]) -> Iterator[str]:
    """The log groups that log delivery writes to: those of state machines and of access logs."""
    for machine in get_resources(template, "AWS::StepFunctions::StateMachine").values():
        for destination in machine["LoggingConfiguration"]["Destinations"]:
            yield destination["CloudWatchLogsLogGroup"]["LogGroupArn"]["Fn::GetAtt"][0]
    for stage in get_resources(template, "AWS::ApiGatewayV2::Stage").values():
        if "AccessLogSettings" in stage:
            yield stage["AccessLogSettings"]["DestinationArn"]["Fn::GetAtt"][0]


def _render_names(template: dict[str, Any], stack: str) -> list[str]:
    """The names of those groups in a stack; one without a name of its own gets it from CloudFormation."""
    groups = get_resources(template, "AWS::Logs::LogGroup")
    names = []
    for logical_id in _list_destinations(template):
        name = groups[logical_id].get("LogGroupName") or f"{stack}-{logical_id}-aB3dE5gH7jK9"
        parts = name["Fn::Join"][1] if isinstance(name, dict) else [name]
        names.append("".join(stack if part == {"Ref": "AWS::StackName"} else part for part in parts))
    return names


def _build_policy(names: list[str]) -> str:
    """Build the resource policy as log delivery does, with one wildcard for the names that have its prefix."""
    resources = {f"{ARN}{'/aws/vendedlogs/*' if name.startswith('/aws/vendedlogs/') else name}" for name in names}
    statement = {
        "Sid": "AWSLogDeliveryWrite20150319",
        "Effect": "Allow",
        "Principal": {"Service": ["delivery.logs.amazonaws.com"]},
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": sorted(f"{resource}:log-stream:*" for resource in resources),
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))


def test_a_hundred_stacks_fit_into_the_resource_policy_of_an_account(variants: Templates) -> None:
    for variant, template in variants.items():
        stacks = [f"{variant}{number}" for number in range(STACKS_IN_AN_ACCOUNT)]
        names = [name for stack in stacks for name in _render_names(template, stack)]
        assert len(names) >= len(OPERATIONS) * STACKS_IN_AN_ACCOUNT
        assert len(_build_policy(names)) <= MAX_POLICY_LENGTH, variant


def test_log_groups_of_stacks_and_of_constructs_in_a_stack_have_different_names(variants: Templates) -> None:
    plain = [name for stack in "AB" for name in _render_names(variants["Plain"], stack)]
    assert len(set(plain)) == len(plain)
    assert len(_render_names(variants["TwoDeployments"], "A")) == 2 * len(OPERATIONS)
    for template in variants.values():
        names = _render_names(template, "A")
        assert len(set(names)) == len(names)


def test_names_of_log_groups_are_valid_for_the_longest_name_of_a_stack(variants: Templates) -> None:
    for template in variants.values():
        for name in _render_names(template, LONGEST_STACK_NAME):
            assert re.fullmatch(r"[\w./#-]+", name, re.ASCII)
            assert len(name) <= MAX_NAME_LENGTH
