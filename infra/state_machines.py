"""The Step Functions state machines, from the ASL files."""

from collections.abc import Mapping
from typing import Final

from aws_cdk import RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from amberflo_workflows.infra.nag import acknowledge
from amberflo_workflows.infra.operations import Operation, OperationKind
from amberflo_workflows.infra.settings import IngestLog, InvalidSetting

# A file may take hours, which no express workflow may; and of the few tenants each execution is worth its history.
_TYPES: Final = {
    OperationKind.SYNCHRONOUS: sfn.StateMachineType.EXPRESS,
    OperationKind.INGEST: sfn.StateMachineType.EXPRESS,
    OperationKind.BACKFILL: sfn.StateMachineType.STANDARD,
    OperationKind.TENANT: sfn.StateMachineType.STANDARD,
}


class StateMachines(Construct):
    """Makes the machine of an operation, with a role that may invoke exactly the tasks in it."""

    def __init__(self, scope: Construct, id: str, *, retention: logs.RetentionDays, ingest_log: IngestLog) -> None:
        super().__init__(scope, id)
        self._retention = retention
        self._ingest_log = ingest_log

    def add(
        self, operation: Operation, tasks: Mapping[str, lambda_.Function], others: Mapping[str, str]
    ) -> sfn.StateMachine:
        """The state machine of ``operation``; ``others`` provides the tokens that are no task's ARN."""
        provided = {f"{name}FunctionArn": tasks[name].function_arn for name in sorted(operation.tasks)} | dict(others)
        missing = operation.tokens - provided.keys()
        if missing:
            raise InvalidSetting(
                f"{operation.name}.asl.json asks for {', '.join(sorted(missing))}, which infra/ does not provide."
            )
        name = operation.pascal_name
        role = iam.Role(self, f"{name}Role", assumed_by=iam.ServicePrincipal("states.amazonaws.com"))
        for task in sorted(operation.tasks):
            role.add_to_policy(
                iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[tasks[task].function_arn])
            )
        machine = sfn.StateMachine(
            self,
            name,
            definition_body=sfn.DefinitionBody.from_string(operation.definition),
            definition_substitutions={token: provided[token] for token in sorted(operation.tokens)},
            state_machine_type=_TYPES[operation.kind],
            role=role,
            tracing_enabled=True,
            logs=self._log_options(operation),
        )
        acknowledge(
            role,
            {
                "AwsSolutions-IAM5[Resource::*]": "Log delivery and X-Ray take no resource; "
                "the Lambda functions are named one by one."
            },
        )
        if operation.kind is OperationKind.INGEST and self._ingest_log == "ERROR_WITH_DATA":
            acknowledge(machine, {"AwsSolutions-SF1": "Chosen by a setting: errors with their data, and nothing else."})
        return machine

    def _log_options(self, operation: Operation) -> sfn.LogOptions:
        """All of a synchronous execution; of an ingest one what the setting says, since it is there for millions."""
        group = logs.LogGroup(
            self,
            f"{operation.pascal_name}Log",
            retention=self._retention,
            removal_policy=RemovalPolicy.DESTROY,
        )
        if operation.kind is not OperationKind.INGEST:
            return sfn.LogOptions(destination=group, level=sfn.LogLevel.ALL, include_execution_data=True)
        if self._ingest_log == "ALL_WITHOUT_DATA":
            return sfn.LogOptions(destination=group, level=sfn.LogLevel.ALL, include_execution_data=False)
        return sfn.LogOptions(destination=group, level=sfn.LogLevel.ERROR, include_execution_data=True)
