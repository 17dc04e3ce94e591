"""The Step Functions state machines, from the ASL files."""

from collections.abc import Mapping
from typing import Final

from aws_cdk import Aws, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from amberflo_workflows.infra.log_groups import build_vended_log_group
from amberflo_workflows.infra.nag import acknowledge
from amberflo_workflows.infra.operations import Operation, OperationKind
from amberflo_workflows.infra.roles import ServiceRole
from amberflo_workflows.infra.settings import IngestLog, InvalidSetting

NAMESPACE: Final = "AmberfloWorkflows"
# The events at the end of an execution that failed. Every log level but OFF has them:
# https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html.
_FAILURES: Final = ("ExecutionFailed", "ExecutionTimedOut")

# A backfill or a reconciliation can take hours, and an express workflow at most five minutes. Tenant events are few, so
# that the history of each execution is affordable.
_TYPES: Final = {
    OperationKind.SYNCHRONOUS: sfn.StateMachineType.EXPRESS,
    OperationKind.INGEST: sfn.StateMachineType.EXPRESS,
    OperationKind.BACKFILL: sfn.StateMachineType.STANDARD,
    OperationKind.TENANT: sfn.StateMachineType.STANDARD,
    OperationKind.LEDGER: sfn.StateMachineType.STANDARD,
}


class StateMachines(Construct):
    """Creates state machines, each with a role that may invoke only the tasks in its definition."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        retention: logs.RetentionDays,
        ingest_log: IngestLog,
        trace_ingest: bool,
        deployment_name: str,
    ) -> None:
        super().__init__(scope, id)
        self._retention = retention
        self._ingest_log = ingest_log
        self._trace_ingest = trace_ingest
        # Metrics from logs have no constant dimensions, so that the deployment is a part of the name.
        self._failed_metric = f"ExecutionsFailed/{deployment_name}"

    def build_failed_metric(self, period: Duration) -> cloudwatch.Metric:
        """Build the number of executions of all workflows that failed or timed out."""
        return cloudwatch.Metric(namespace=NAMESPACE, metric_name=self._failed_metric, statistic="Sum", period=period)

    def add(
        self, operation: Operation, tasks: Mapping[str, lambda_.Function], resources: Mapping[str, str]
    ) -> sfn.StateMachine:
        """Add the state machine of ``operation``; ``resources`` has the values of tokens other than the tasks' ARNs."""
        arns = {f"{name}FunctionArn": tasks[name].function_arn for name in sorted(operation.tasks)}
        substitutions = arns | {"Partition": Aws.PARTITION} | dict(resources)
        missing = operation.tokens - substitutions.keys()
        if missing:
            raise InvalidSetting(
                f"{operation.name}.asl.json has the tokens {', '.join(sorted(missing))}, for which infra/ has no value."
            )
        name = operation.pascal_name
        role = ServiceRole(self, f"{name}Role", service="states.amazonaws.com")
        for task in sorted(operation.tasks):
            role.add_to_policy(
                iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[tasks[task].function_arn])
            )
        machine = sfn.StateMachine(
            self,
            name,
            definition_body=sfn.DefinitionBody.from_string(operation.definition),
            definition_substitutions={token: substitutions[token] for token in sorted(operation.tokens)},
            state_machine_type=_TYPES[operation.kind],
            role=role,
            tracing_enabled=operation.kind is not OperationKind.INGEST or self._trace_ingest,
            logs=self._log_options(operation),
        )
        acknowledge(
            role,
            {
                "AwsSolutions-IAM5[Resource::*]": "Log delivery and X-Ray do not support resource-level "
                "permissions; the Lambda functions are listed individually."
            },
        )
        if operation.kind is OperationKind.INGEST and self._ingest_log == "ERROR_WITH_DATA":
            acknowledge(machine, {"AwsSolutions-SF1": "A setting: only errors are logged, with their data."})
        if operation.kind is OperationKind.INGEST and not self._trace_ingest:
            acknowledge(
                machine, {"AwsSolutions-SF2": "A setting: traces of each batch would cost more than the batch."}
            )
        return machine

    def _log_options(self, operation: Operation) -> sfn.LogOptions:
        """Log everything, with data. For ``ingest_usage``, with millions of executions, the setting decides."""
        group = build_vended_log_group(self, f"{operation.pascal_name}Log", service="states", retention=self._retention)
        self._count_failures(group)
        if operation.kind is not OperationKind.INGEST:
            return sfn.LogOptions(destination=group, level=sfn.LogLevel.ALL, include_execution_data=True)
        if self._ingest_log == "ALL_WITHOUT_DATA":
            return sfn.LogOptions(destination=group, level=sfn.LogLevel.ALL, include_execution_data=False)
        return sfn.LogOptions(destination=group, level=sfn.LogLevel.ERROR, include_execution_data=True)

    def _count_failures(self, group: logs.LogGroup) -> None:
        """Count the failed executions in a log, in one metric for all workflows.

        Step Functions has two metrics for each workflow, which would need an alarm each. This one has values only
        after a failure, and CloudWatch charges for a metric only in the hours that have values.
        """
        logs.MetricFilter(
            group,
            "Failures",
            log_group=group,
            filter_pattern=logs.FilterPattern.any(
                *(logs.FilterPattern.string_value("$.type", "=", name) for name in _FAILURES)
            ),
            metric_namespace=NAMESPACE,
            metric_name=self._failed_metric,
            metric_value="1",
        )
