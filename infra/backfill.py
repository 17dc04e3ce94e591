"""Usage out of files on S3: a bucket for them, and the workflow that reads them."""

from collections.abc import Mapping
from typing import Final

from aws_cdk import ArnFormat, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from amberflo_workflows.infra.functions import Functions
from amberflo_workflows.infra.ingest import IngestPath
from amberflo_workflows.infra.nag import acknowledge, get_logical_id
from amberflo_workflows.infra.operations import OPERATIONS, OperationKind, find_task_timeout, to_snake_case
from amberflo_workflows.infra.state_machines import StateMachines

# As long as Amberflo takes usage: an older file could not be sent again.
FILE_RETENTION: Final = Duration.days(60)


class Backfill(Construct):
    """Reads files out of its own bucket only, and sends what is in them through ``ingest_usage``."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        functions: Functions,
        machines: StateMachines,
        ingest: IngestPath,
        ingest_machine: sfn.StateMachine,
    ) -> None:
        super().__init__(scope, id)
        (self._operation,) = (operation for operation in OPERATIONS if operation.kind is OperationKind.BACKFILL)
        self.bucket = self._bucket()
        plan = self._function(functions, "Plan", {})
        send = self._function(
            functions,
            "SendRange",
            {
                "INGEST_USAGE_STATE_MACHINE_ARN": ingest_machine.state_machine_arn,
                "REJECTED_TABLE_NAME": ingest.rejected.table_name,
            },
        )
        total = self._function(functions, "SumUp", {})
        for reader in (plan, send):
            reader.add_to_role_policy(
                iam.PolicyStatement(actions=["s3:GetObject"], resources=[self.bucket.arn_for_objects("*")])
            )
        # Without it a missing object looks like a forbidden one.
        plan.add_to_role_policy(iam.PolicyStatement(actions=["s3:ListBucket"], resources=[self.bucket.bucket_arn]))
        ingest_machine.grant_start_sync_execution(send)
        ingest.rejected.grant(send, "dynamodb:PutItem")
        self.functions: Mapping[str, lambda_.Function] = {
            "BackfillPlan": plan,
            "BackfillSendRange": send,
            "BackfillSumUp": total,
        }
        for function in (plan, send):
            rule = f"AwsSolutions-IAM5[Resource::<{get_logical_id(self.bucket)}.Arn>/*]"
            acknowledge(function.role or function, {rule: "Any file in the bucket that is there for them."})
        self.machine = machines.add(self._operation, self.functions, {})
        self._allow_children()

    def _function(self, functions: Functions, step: str, environment: Mapping[str, str]) -> lambda_.Function:
        name = f"Backfill{step}"
        module = "entrypoints.backfill.send_range" if step == "SendRange" else f"tasks.{to_snake_case(name)}"
        return functions.add(name, module=module, seconds=find_task_timeout(name) + 1, environment=environment)

    def _bucket(self) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "Files",
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            lifecycle_rules=[s3.LifecycleRule(expiration=FILE_RETENTION)],
            removal_policy=RemovalPolicy.RETAIN,
        )
        acknowledge(
            bucket,
            {"AwsSolutions-S1": "Who reads the files is in the executions of the workflow that is there to read them."},
        )
        return bucket

    def _allow_children(self) -> None:
        """A distributed map starts its ranges as executions of the machine itself."""
        stack = Stack.of(self)
        executions = stack.format_arn(
            service="states",
            resource="execution",
            resource_name=f"{self.machine.state_machine_name}/*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        # A policy of its own, since that of the role would have to be there before the machine that it names.
        policy = iam.Policy(
            self,
            "Ranges",
            statements=[
                iam.PolicyStatement(actions=["states:StartExecution"], resources=[self.machine.state_machine_arn]),
                iam.PolicyStatement(
                    actions=["states:DescribeExecution", "states:StopExecution"], resources=[executions]
                ),
            ],
        )
        policy.attach_to_role(self.machine.role)
        name = get_logical_id(self.machine)
        arn = f"arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:<{name}.Name>/*"
        acknowledge(
            policy,
            {f"AwsSolutions-IAM5[Resource::{arn}]": "The executions of this machine get their names when they start."},
        )
