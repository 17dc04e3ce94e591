"""The reconciliation of the ledger with Amberflo: its steps, its workflow, and its schedule."""

from collections.abc import Mapping
from typing import Final

from aws_cdk import Size
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from amberflo_workflows.infra.api_key_secret import ApiKeySecret
from amberflo_workflows.infra.event_bus import BusOfEvents
from amberflo_workflows.infra.executions import allow_children
from amberflo_workflows.infra.functions import Functions
from amberflo_workflows.infra.ingest import IngestPath
from amberflo_workflows.infra.ledger import (
    INDEX_PREFIX,
    REPORTS_PREFIX,
    RULES_PREFIX,
    SORTED_PREFIX,
    SORTED_UNTIL_KEY,
    Ledger,
)
from amberflo_workflows.infra.operations import OPERATIONS, STATUS_INDEX, find_task_timeout, to_snake_case
from amberflo_workflows.infra.state_machines import StateMachines

# Runs of an hour are files while they are merged.
_TEMPORARY_STORAGE: Final = Size.gibibytes(4)
# After the lag, so that the last receipts of it are delivered.
_MINUTE: Final = "30"


class ReconciliationPath(Construct):
    """The workflow ``reconcile_usage``; ``schedule_hours`` is how many hours it has by schedule, or 0."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        functions: Functions,
        machines: StateMachines,
        resolve_api_key: lambda_.Function,
        amberflo: Mapping[str, str],
        secret: ApiKeySecret,
        ledger: Ledger,
        ingest: IngestPath,
        bus: BusOfEvents,
        schedule_hours: int,
        lag_hours: int,
    ) -> None:
        super().__init__(scope, id)
        self._functions, self._ledger = functions, ledger
        (operation,) = (operation for operation in OPERATIONS if operation.name == "reconcile_usage")
        listing = self._add("ListUnsorted", {"RECONCILIATION_LAG_SECONDS": str(lag_hours * 3600)})
        sorting = self._add("SortBatch", {})
        ledger.allow_objects(sorting, "s3:PutObject", SORTED_PREFIX, RULES_PREFIX, INDEX_PREFIX)
        comparing = self._add("CompareHours", amberflo, storage=_TEMPORARY_STORAGE)
        secret.allow_to_read(comparing)
        ledger.allow_objects(comparing, "s3:PutObject", REPORTS_PREFIX)
        planning = self._add("PlanComparison", {})
        ledger.allow_objects(planning, "s3:PutObject", SORTED_UNTIL_KEY)
        tasks = {
            "ResolveApiKey": resolve_api_key,
            "ListUnsorted": listing,
            "SortBatch": sorting,
            "PlanComparison": planning,
            "CompareHours": comparing,
            "WriteReport": self._add_report(ingest),
        }
        self.machine = machines.add(operation, tasks, {"EventBusName": bus.name})
        allow_children(self, self.machine)
        bus.allow_to_put(self.machine)
        if schedule_hours:
            self._add_schedule(schedule_hours, lag_hours)

    def _add(self, name: str, environment: Mapping[str, str], storage: Size | None = None) -> lambda_.Function:
        function = self._functions.add(
            name,
            module=f"tasks.{to_snake_case(name)}",
            seconds=find_task_timeout(name) + 1,
            environment=environment,
            storage=storage,
        )
        self._ledger.allow_to_read(function)
        return function

    def _add_report(self, ingest: IngestPath) -> lambda_.Function:
        function = self._add(
            "WriteReport",
            {
                "REJECTED_TABLE_NAME": ingest.rejected.table_name,
                "USAGE_QUEUE_URL": ingest.queue.queue_url,
                "USAGE_DEAD_LETTERS_URL": ingest.dead_letters.queue_url,
            },
        )
        self._ledger.allow_objects(function, "s3:GetObject", REPORTS_PREFIX)
        self._ledger.allow_objects(function, "s3:PutObject", REPORTS_PREFIX)
        table = ingest.rejected.table_arn
        for actions, resources in (
            (["dynamodb:BatchGetItem"], [table]),
            (["dynamodb:Query"], [f"{table}/index/{STATUS_INDEX}"]),
            (["sqs:GetQueueAttributes"], [ingest.queue.queue_arn, ingest.dead_letters.queue_arn]),
        ):
            function.add_to_role_policy(iam.PolicyStatement(actions=actions, resources=resources))
        return function

    def _add_schedule(self, hours: int, lag_hours: int) -> None:
        """Reconcile the hours that Amberflo has reported in full, at the hours that end with a full day in UTC."""
        first = lag_hours % hours
        every = "*" if hours == 1 else str(first) if hours == 24 else f"{first}/{hours}"
        events.Rule(
            self,
            "Schedule",
            description=f"Reconciles {hours} h of usage, {lag_hours} h later",
            schedule=events.Schedule.cron(minute=_MINUTE, hour=every),
            targets=[
                targets.SfnStateMachine(
                    self.machine,
                    input=events.RuleTargetInput.from_object(
                        {"schedule": {"hours": hours, "time": events.EventField.time}}
                    ),
                )
            ],
        )
