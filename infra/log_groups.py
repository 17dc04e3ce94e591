"""The log groups of AWS's log delivery, through which state machines and HTTP APIs log. Lambdas write directly."""

from typing import Final

from aws_cdk import Aws, RemovalPolicy
from aws_cdk import aws_logs as logs
from constructs import Construct

from amberflo_workflows.infra.nag import get_logical_id

# Log delivery allows itself to write to each of its groups, in one resource policy for the account and region, of at
# most 5,120 characters. Groups with this prefix share one wildcard there; any other name takes about 145 characters.
VENDED_PREFIX: Final = "/aws/vendedlogs/"


def build_vended_log_group(scope: Construct, id: str, *, service: str, retention: logs.RetentionDays) -> logs.LogGroup:
    """Build the log group of a resource of ``service``.

    Its name has to be fixed because of the prefix. The names of stacks differ within an account and region, and the
    logical ids within a stack.
    """
    group = logs.LogGroup(scope, id, retention=retention, removal_policy=RemovalPolicy.DESTROY)
    resource = group.node.default_child
    if not isinstance(resource, logs.CfnLogGroup):
        raise TypeError(f"a log group must be a CfnLogGroup, not a {type(resource).__name__}")
    resource.log_group_name = f"{VENDED_PREFIX}{service}/{Aws.STACK_NAME}/{get_logical_id(group)}"
    return group
