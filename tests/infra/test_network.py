"""Lambdas in a VPC, by the settings."""

from typing import Any

import pytest

from amberflo_workflows.infra.node import use_packaged_node
from amberflo_workflows.infra.settings import InvalidSetting, Settings
from tests.infra.conftest import get_resources, get_role_statements, list_role_policies
from tests.infra.every_setting import SETTINGS

use_packaged_node()

from aws_cdk import CfnParameter, Stack, aws_ec2  # noqa: E402 - needs use_packaged_node first
from aws_cdk.assertions import Template  # noqa: E402 - as above

from amberflo_workflows.infra.metering import AmberfloMetering  # noqa: E402 - as above

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
        # Lambda creates an interface when the function is created, so the policy has to exist before it: in the role.
        assert "ec2:" in str(template["Resources"][role]["Properties"]["Policies"])


def test_the_network_may_be_known_at_deployment_only() -> None:
    stack = Stack()
    subnets = CfnParameter(stack, "Subnets", type="List<AWS::EC2::Subnet::Id>").value_as_list
    group = aws_ec2.SecurityGroup(stack, "Group", vpc=aws_ec2.Vpc(stack, "Vpc", max_azs=1))
    AmberfloMetering(stack, "Metering", subnet_ids=subnets, security_group_ids=[group.security_group_id])
    functions = Template.from_stack(stack).find_resources("AWS::Lambda::Function").values()
    configurations = [function["Properties"]["VpcConfig"] for function in functions]
    assert len(configurations) >= 17
    assert all(item["SubnetIds"] == {"Ref": "Subnets"} for item in configurations)
    assert all("Fn::GetAtt" in item["SecurityGroupIds"][0] for item in configurations)


def test_without_subnets_no_lambda_is_in_a_vpc(aws: dict[str, Any]) -> None:
    assert "VpcConfig" not in {
        key for function in get_resources(aws, "AWS::Lambda::Function").values() for key in function
    }
    assert "ec2:" not in str(list(list_role_policies(aws)))


@pytest.mark.parametrize(("name", "ids"), [("subnetIds", "subnet-1,subnet-2"), ("securityGroupIds", "sg-1,sg-2")])
def test_subnets_and_security_groups_are_set_together(name: str, ids: str) -> None:
    with pytest.raises(InvalidSetting, match="subnetIds and securityGroupIds must be set together"):
        Settings.from_context({name: ids}.get)
