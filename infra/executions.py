"""Permissions for the executions of a workflow, which get their names when they start."""

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct, IConstruct

from amberflo_workflows.infra.nag import acknowledge, get_logical_id


def allow_children(scope: Construct, machine: sfn.StateMachine) -> None:
    """Allow a distributed map to start its child executions, to watch and stop them, and to redrive them.

    They are executions of the same state machine, with a name of their own for the map: ``NAME/MAP:CHILD``.
    """
    own, children = (_format_execution(scope, f"{machine.state_machine_name}{part}") for part in (":*", "/*"))
    # A separate policy: the role's default policy has to exist before the state machine that this one refers to.
    policy = iam.Policy(
        scope,
        "Ranges",
        statements=[
            iam.PolicyStatement(actions=["states:StartExecution"], resources=[machine.state_machine_arn]),
            iam.PolicyStatement(
                actions=["states:DescribeExecution", "states:StopExecution"], resources=[own, children]
            ),
            iam.PolicyStatement(actions=["states:RedriveExecution"], resources=[children]),
        ],
    )
    policy.attach_to_role(machine.role)
    _acknowledge_names(policy, machine, ":*", "/*")


def allow_to_describe(function: lambda_.Function, machine: sfn.StateMachine) -> None:
    """Allow a function to describe the executions of a workflow."""
    executions = _format_execution(function, f"{machine.state_machine_name}:*")
    function.add_to_role_policy(iam.PolicyStatement(actions=["states:DescribeExecution"], resources=[executions]))
    _acknowledge_names(function.role or function, machine, ":*")


def _acknowledge_names(scope: IConstruct, machine: sfn.StateMachine, *parts: str) -> None:
    name = get_logical_id(machine)
    arn = f"arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:<{name}.Name>"
    reason = "Executions get their names when they start."
    acknowledge(scope, {f"AwsSolutions-IAM5[Resource::{arn}{part}]": reason for part in parts})


def _format_execution(scope: Construct, name: str) -> str:
    return Stack.of(scope).format_arn(
        service="states", resource="execution", resource_name=name, arn_format=ArnFormat.COLON_RESOURCE_NAME
    )
