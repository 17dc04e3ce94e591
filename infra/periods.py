"""The closing of billing periods: its steps, its workflow, and its schedule."""

from typing import Final

from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from amberflo_workflows.infra.event_bus import BusOfEvents
from amberflo_workflows.infra.executions import allow_to_describe
from amberflo_workflows.infra.functions import Functions
from amberflo_workflows.infra.ingest import IngestPath
from amberflo_workflows.infra.nag import acknowledge
from amberflo_workflows.infra.operations import OPERATIONS, find_task_timeout, to_snake_case
from amberflo_workflows.infra.state_machines import StateMachines

_HOUR: Final = "6"
_MINUTE: Final = "30"


class PeriodPath(Construct):
    """The workflow ``close_period``, which closes the month before on ``day`` of each month, or never if it is 0."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        functions: Functions,
        machines: StateMachines,
        reconciliation: sfn.StateMachine,
        ingest: IngestPath,
        bus: BusOfEvents,
        day: int,
        lag_hours: int,
    ) -> None:
        super().__init__(scope, id)
        (operation,) = (operation for operation in OPERATIONS if operation.name == "close_period")
        arn = {"RECONCILE_USAGE_STATE_MACHINE_ARN": reconciliation.state_machine_arn}
        environments = {
            "StartPeriod": {**arn, "RECONCILIATION_LAG_SECONDS": str(lag_hours * 3600)},
            "CheckPeriod": {**arn, "USAGE_QUEUE_NAME": ingest.queue.queue_name},
        }
        tasks = {
            name: functions.add(
                name,
                module=f"tasks.{to_snake_case(name)}",
                seconds=find_task_timeout(name) + 1,
                environment=environment,
            )
            for name, environment in environments.items()
        }
        reconciliation.grant_start_execution(tasks["StartPeriod"])
        checking = tasks["CheckPeriod"]
        allow_to_describe(checking, reconciliation)
        checking.add_to_role_policy(iam.PolicyStatement(actions=["cloudwatch:GetMetricStatistics"], resources=["*"]))
        acknowledge(
            checking.role or checking,
            {"AwsSolutions-IAM5[Resource::*]": "CloudWatch's metrics and X-Ray have no resource-level permissions."},
        )
        self.machine = machines.add(operation, tasks, {"EventBusName": bus.name})
        bus.allow_to_put(self.machine)
        if day:
            events.Rule(
                self,
                "Schedule",
                description="Closes the month before",
                schedule=events.Schedule.cron(minute=_MINUTE, hour=_HOUR, day=str(day)),
                targets=[
                    targets.SfnStateMachine(
                        self.machine,
                        input=events.RuleTargetInput.from_object({"schedule": {"time": events.EventField.time}}),
                    )
                ],
            )
