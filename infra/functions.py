"""The Lambda functions: one for each task and entry point, each with its own role and log group."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from aws_cdk import Duration, RemovalPolicy, Size
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from amberflo_workflows.infra.memory import get_memory_mb
from amberflo_workflows.infra.nag import acknowledge
from amberflo_workflows.infra.operations import to_snake_case
from amberflo_workflows.infra.roles import ServiceRole
from amberflo_workflows.infra.settings import Runtime

# What AWS's policy for Lambdas in a VPC allows, without the logs. EC2 has no resource-level permissions for all of it.
_VPC_ACTIONS: Final = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)


class Network(NamedTuple):
    """The subnets and the security groups of functions in a VPC, by their ids."""

    subnet_ids: Sequence[str]
    security_group_ids: Sequence[str]

    def connect(self, function: lambda_.Function, role: iam.Role) -> None:
        """Run a function in the VPC; its role exists first, with the permission to create network interfaces."""
        role.add_to_policy(iam.PolicyStatement(actions=list(_VPC_ACTIONS), resources=["*"]))
        resource = function.node.default_child
        if not isinstance(resource, lambda_.CfnFunction):
            raise TypeError(f"a function must be a CfnFunction, not a {type(resource).__name__}")
        resource.vpc_config = lambda_.CfnFunction.VpcConfigProperty(
            subnet_ids=list(self.subnet_ids), security_group_ids=list(self.security_group_ids)
        )


class Functions(Construct):
    """Creates functions that share one bundle. Their metrics have the dimension ``deployment_name``."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        bundle: Path,
        runtime: Runtime,
        retention: logs.RetentionDays,
        deployment_name: str,
        network: Network | None,
    ) -> None:
        super().__init__(scope, id)
        self._network = network
        self._deployment_name = deployment_name
        self._code = lambda_.Code.from_asset(str(bundle))
        self._retention = retention
        self._architecture = (
            lambda_.Architecture.ARM_64 if runtime.architecture == "arm64" else lambda_.Architecture.X86_64
        )
        self._runtime = (
            lambda_.Runtime.PROVIDED_AL2023
            if runtime.local
            else lambda_.Runtime(f"python{runtime.python}", lambda_.RuntimeFamily.PYTHON)
        )

    def add(
        self,
        name: str,
        *,
        module: str,
        seconds: int,
        environment: Mapping[str, str],
        trace: bool = False,
        dead_letters: sqs.IQueue | None = None,
        storage: Size | None = None,
    ) -> lambda_.Function:
        """Add a function ``name`` (Pascal case) for ``amberflo_workflows.MODULE.handler``; ``seconds`` is its timeout.

        With ``trace``, X-Ray samples its calls; otherwise it follows what called it, such as a workflow. Asynchronous
        invocations that fail three times go to the dead-letter queue ``dead_letters``. Temporary files may have
        ``storage``, by default 512 MB.
        """
        log_group = logs.LogGroup(self, f"{name}Log", retention=self._retention, removal_policy=RemovalPolicy.DESTROY)
        role = ServiceRole(self, f"{name}Role", service="lambda.amazonaws.com")
        log_group.grant_write(role)
        function = lambda_.Function(
            self,
            name,
            code=self._code,
            handler=f"amberflo_workflows.{module}.handler",
            runtime=self._runtime,
            architecture=self._architecture,
            memory_size=get_memory_mb(name),
            timeout=Duration.seconds(seconds),
            role=role,
            log_group=log_group,
            tracing=lambda_.Tracing.ACTIVE if trace else lambda_.Tracing.PASS_THROUGH,
            dead_letter_queue=dead_letters,
            ephemeral_storage_size=storage,
            environment={
                "POWERTOOLS_SERVICE_NAME": to_snake_case(name),
                "POWERTOOLS_LOG_LEVEL": "INFO",
                "DEPLOYMENT_NAME": self._deployment_name,
                **environment,
            },
        )
        if self._network:
            self._network.connect(function, role)
        _acknowledge_findings(function, role)
        return function

    def remove(self, name: str) -> None:
        """Remove a function, its role and its log group."""
        for child in (name, f"{name}Role", f"{name}Log"):
            self.node.try_remove_child(child)


def _acknowledge_findings(function: lambda_.Function, role: iam.Role) -> None:
    acknowledge(
        function,
        {"AwsSolutions-L1": "The Python version is a setting, and the byte code in the bundle is for that version."},
    )
    acknowledge(
        role,
        {"AwsSolutions-IAM5[Resource::*]": "The actions of X-Ray and EC2 do not support resource-level permissions."},
    )
