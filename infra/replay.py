"""The replay of the ledger: the workflow that sends usage to Amberflo again."""

from typing import Final

from aws_cdk import Size
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from amberflo_workflows.infra.executions import allow_children
from amberflo_workflows.infra.functions import Functions
from amberflo_workflows.infra.ingest import IngestPath
from amberflo_workflows.infra.ledger import REPORTS_PREFIX, Ledger
from amberflo_workflows.infra.operations import OPERATIONS, find_task_timeout
from amberflo_workflows.infra.state_machines import StateMachines

# Runs of an hour are files while they are merged.
_TEMPORARY_STORAGE: Final = Size.gibibytes(4)
SENDER: Final = "SendUsagesAgain"
_PLANNER: Final = "PlanReplay"
_MODULES: Final = {
    _PLANNER: "tasks.plan_replay",
    SENDER: "entrypoints.replay.send_usages_again",
    "SumUpReplay": "tasks.sum_up_replay",
}


class Replay(Construct):
    """The workflow ``replay_usage`` reads the ledger, and sends its usage through ``ingest_usage``."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        functions: Functions,
        machines: StateMachines,
        ledger: Ledger,
        ingest: IngestPath,
        ingest_machine: sfn.StateMachine,
    ) -> None:
        super().__init__(scope, id)
        (operation,) = (operation for operation in OPERATIONS if operation.name == "replay_usage")
        destination = {
            "INGEST_USAGE_STATE_MACHINE_ARN": ingest_machine.state_machine_arn,
            "REJECTED_TABLE_NAME": ingest.rejected.table_name,
        }
        self.functions: dict[str, lambda_.Function] = {
            name: functions.add(
                name,
                module=module,
                seconds=find_task_timeout(name) + 1,
                environment=destination if name == SENDER else {},
                storage=_TEMPORARY_STORAGE if name == SENDER else None,
            )
            for name, module in _MODULES.items()
        }
        for reader in (self.functions[_PLANNER], self.functions[SENDER]):
            ledger.allow_to_read(reader)
            ledger.allow_objects(reader, "s3:GetObject", REPORTS_PREFIX)
        ingest_machine.grant_start_sync_execution(self.functions[SENDER])
        ingest.allow_to_reject(self.functions[SENDER])
        self.machine = machines.add(operation, self.functions, {})
        allow_children(self, self.machine)
