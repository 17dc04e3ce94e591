"""Backfill of usage from files on S3: the bucket for the files, and the workflow that reads them."""

from collections.abc import Mapping
from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from amberflo_workflows.infra.executions import allow_children
from amberflo_workflows.infra.functions import Functions
from amberflo_workflows.infra.ingest import IngestPath
from amberflo_workflows.infra.nag import acknowledge, get_logical_id
from amberflo_workflows.infra.operations import OPERATIONS, OperationKind, find_task_timeout, to_snake_case
from amberflo_workflows.infra.state_machines import StateMachines
from amberflo_workflows.infra.storage import build_bucket

# Amberflo accepts usage for 60 days, so an older file could not be sent again.
FILE_RETENTION: Final = Duration.days(60)
# As in core.sent_files, which requires msgspec; the constructs do without it.
SENT_PREFIX: Final = "sent/"


class Backfill(Construct):
    """The workflow reads files from its own bucket only, and sends their usage through ``ingest_usage``."""

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
        self.bucket = build_bucket(self, "Files", expiration=FILE_RETENTION)
        acknowledge(
            self.bucket,
            {"AwsSolutions-S1": "Only one workflow reads the files, and its executions show which files it read."},
        )
        plan = self._add_function(functions, "Plan", {})
        send = self._add_function(
            functions,
            "SendRange",
            {
                "INGEST_USAGE_STATE_MACHINE_ARN": ingest_machine.state_machine_arn,
                "REJECTED_TABLE_NAME": ingest.rejected.table_name,
            },
        )
        sum_up = self._add_function(functions, "SumUp", {})
        for reader in (plan, send):
            reader.add_to_role_policy(
                iam.PolicyStatement(actions=["s3:GetObject"], resources=[self.bucket.arn_for_objects("*")])
            )
        plan.add_to_role_policy(
            iam.PolicyStatement(actions=["s3:PutObject"], resources=[self.bucket.arn_for_objects(f"{SENT_PREFIX}*")])
        )
        # Without this permission S3 reports a missing object as access denied.
        plan.add_to_role_policy(iam.PolicyStatement(actions=["s3:ListBucket"], resources=[self.bucket.bucket_arn]))
        ingest_machine.grant_start_sync_execution(send)
        ingest.allow_to_reject(send)
        self.functions: Mapping[str, lambda_.Function] = {
            "BackfillPlan": plan,
            "BackfillSendRange": send,
            "BackfillSumUp": sum_up,
        }
        for function in (plan, send):
            rule = f"AwsSolutions-IAM5[Resource::<{get_logical_id(self.bucket)}.Arn>/*]"
            acknowledge(function.role or function, {rule: "Any object in the bucket: it holds only files to backfill."})
        rule = f"AwsSolutions-IAM5[Resource::<{get_logical_id(self.bucket)}.Arn>/{SENT_PREFIX}*]"
        acknowledge(plan.role or plan, {rule: "How files were sent is stored under this prefix."})
        self.machine = machines.add(self._operation, self.functions, {})
        allow_children(self, self.machine)

    def _add_function(self, functions: Functions, step: str, environment: Mapping[str, str]) -> lambda_.Function:
        name = f"Backfill{step}"
        module = "entrypoints.backfill.send_range" if step == "SendRange" else f"tasks.{to_snake_case(name)}"
        return functions.add(name, module=module, seconds=find_task_timeout(name) + 1, environment=environment)
