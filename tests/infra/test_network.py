"""Lambdas in a VPC, by the settings."""

from typing import Any

import pytest

from amberflo_workflows.infra.settings import InvalidSetting, Settings
from tests.infra.conftest import get_resources, get_role_statements
from tests.infra.every_setting import SETTINGS

Templates = dict[str, dict[str, Any]]
INTERFACES = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: settings.stack_name)
def test_every_lambda_is_in_the_subnets_and_may_have_an_interface(every_setting: Templates, settings: Settings) -> None:
    template = every_setting[settings.stack_name]
    functions = get_resources(template, "AWS::Lambda::Function")
    assert len(functions) >= 17
    for name, function in functions.items():
        assert function["VpcConfig"] == {
            "SubnetIds": list(settings.subnet_ids),
            "SecurityGroupIds": list(settings.security_group_ids),
        }
        role = function["Role"]["Fn::GetAtt"][0]
        assert any(set(INTERFACES) <= set(actions) for actions, _ in get_role_statements(template, role)), name
        # Lambda creates an interface when the function is created, so the policy has to exist before it.
        policies = get_resources(template, "AWS::IAM::Policy")
        (policy,) = [policy for policy in policies if {"Ref": role} in policies[policy]["Roles"]]
        assert policy in template["Resources"][name]["DependsOn"]


def test_without_subnets_no_lambda_is_in_a_vpc(aws: dict[str, Any]) -> None:
    assert "VpcConfig" not in {
        key for function in get_resources(aws, "AWS::Lambda::Function").values() for key in function
    }
    assert "ec2:" not in str(get_resources(aws, "AWS::IAM::Policy"))


@pytest.mark.parametrize("name", ["subnetIds", "securityGroupIds"])
def test_subnets_and_security_groups_are_set_together(name: str) -> None:
    with pytest.raises(InvalidSetting, match="subnetIds and securityGroupIds must be set together"):
        Settings.from_context({name: "one,two"}.get)
