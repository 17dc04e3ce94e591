"""The construct that puts usage metering with Amberflo into a stack."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from aws_cdk import Aws, Names, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from amberflo_workflows.infra.api_key_secret import find_secret
from amberflo_workflows.infra.backfill import Backfill
from amberflo_workflows.infra.bundle import bundle
from amberflo_workflows.infra.event_bus import BusOfEvents
from amberflo_workflows.infra.executions import allow_to_describe
from amberflo_workflows.infra.functions import Functions, Network
from amberflo_workflows.infra.ingest import FUNCTION_TIMEOUT_SECONDS, IngestPath
from amberflo_workflows.infra.ledger import Ledger
from amberflo_workflows.infra.meter_locks import MeterLocks
from amberflo_workflows.infra.operations import OPERATIONS, OperationKind, find_task_timeout, to_snake_case
from amberflo_workflows.infra.periods import PeriodPath
from amberflo_workflows.infra.reconciliation import ReconciliationPath
from amberflo_workflows.infra.replay import Replay
from amberflo_workflows.infra.response_bucket import ResponseBucket
from amberflo_workflows.infra.settings import IngestLog, Runtime, Settings
from amberflo_workflows.infra.state_machines import StateMachines
from amberflo_workflows.infra.tenants import TenantPath

# API Gateway responds with an error after 30 s, so the function ends earlier.
API_TIMEOUT_SECONDS = 29
DEFAULTS = Settings()
# The tasks that neither call Amberflo nor know its key.
LOCKER: Final = "LockMeter"
KEY_RESOLVER: Final = "ResolveApiKey"
RECEIPT_WRITER: Final = "WriteReceipt"
CANCELLATION_WRITER: Final = "WriteCancellation"
RECORD_READER: Final = "ReadRecords"
_TASKS_WITHOUT_KEY: Final = {LOCKER, RECEIPT_WRITER, CANCELLATION_WRITER, RECORD_READER}
_API_KEY_OPERATIONS: Final = tuple(
    operation for operation in OPERATIONS if operation.kind not in {OperationKind.BACKFILL, OperationKind.LEDGER}
)


class AmberfloMetering(Construct):
    """All metering operations as workflows, the function behind the HTTP API, and the processing of usage events.

    ``amberflo_api_key_secret_name`` is the secret, its name or its ARN; ``amberflo_api_key_secret_id`` is the field of
    its JSON that holds the API key. The secret must exist at the first call, not at deployment. ``secret_key`` is its
    KMS key, if it is not the AWS managed key; a ``Secret`` knows its own. ``amberflo_ingest_url`` defaults to
    Amberflo's ingest host with fail-over if the base URL is the default, else to the base URL. Events of ``event_bus``
    are processed, see :meth:`listen`; usage events wait up to ``ingest_window_seconds`` for others in a batch. X-Ray
    samples HTTP calls, and with ``trace_ingest`` also queued usage.
    Usage under a meter that does not exist is rejected; without ``check_meter_names`` it is sent, and never counted.
    ``ingest_concurrency`` limits the concurrent batches of usage; pollers that are provisioned exclude it.
    Receipts of all usage are in the ledger for ``ledger_retention_days``. Every ``reconcile_hours``, that many hours of
    it are compared with Amberflo, ``reconcile_lag_hours`` after they ended; with 0, only when somebody asks for it.
    On ``close_period_day`` of a month, an event says whether the month before is ready to be invoiced.
    With ``subnet_ids`` and ``security_group_ids`` all functions run in a VPC; docs/deploy.md says what they must reach.

    Properties: ``api_function`` (for any HTTP API), ``queue_function``, ``answers`` (bucket for large responses),
    ``ingest`` (queue, dead-letter queue, rejected table), ``tenants`` (dead-letter queue), ``backfill`` (bucket),
    ``ledger`` (bucket and stream), ``meter_locks`` (table), ``tasks`` and ``state_machines`` by name, ``machines``
    (the metric of their failures), ``rules`` with their bus, ``functions`` (adds functions with the same bundle),
    ``deployment_name`` (the dimension ``deployment`` of the metric ``Rejected``, and the end of the name of the metric
    ``ExecutionsFailed/…``).
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        amberflo_api_key_secret_name: str | secretsmanager.ISecret = DEFAULTS.amberflo_api_key_secret_name,
        amberflo_api_key_secret_id: str = DEFAULTS.amberflo_api_key_secret_id,
        amberflo_base_url: str = DEFAULTS.amberflo_base_url,
        amberflo_ingest_url: str | None = None,
        secret_key: kms.IKey | None = None,
        event_bus: events.IEventBus | None = None,
        event_sources: tuple[str, ...] = (),
        log_retention: logs.RetentionDays = logs.RetentionDays.ONE_MONTH,
        ingest_log: IngestLog = DEFAULTS.ingest_log,
        ingest_concurrency: int | None = DEFAULTS.ingest_concurrency,
        ingest_min_pollers: int | None = DEFAULTS.ingest_min_pollers,
        ingest_max_pollers: int | None = DEFAULTS.ingest_max_pollers,
        ingest_window_seconds: int = DEFAULTS.ingest_window_seconds,
        trace_ingest: bool = DEFAULTS.trace_ingest,
        check_meter_names: bool = DEFAULTS.check_meter_names,
        ledger_retention_days: int = DEFAULTS.ledger_retention_days,
        reconcile_hours: int = DEFAULTS.reconcile_hours,
        reconcile_lag_hours: int = DEFAULTS.reconcile_lag_hours,
        close_period_day: int = DEFAULTS.close_period_day,
        subnet_ids: Sequence[str] = (),
        security_group_ids: Sequence[str] = (),
        runtime: Runtime | None = None,
        bundle_cache: Path | None = None,
    ) -> None:
        super().__init__(scope, id)
        runtime = runtime or Runtime()
        settings = Settings(
            amberflo_api_key_secret_id=amberflo_api_key_secret_id,
            amberflo_base_url=amberflo_base_url,
            amberflo_ingest_url=amberflo_ingest_url,
            ingest_concurrency=ingest_concurrency,
            ingest_min_pollers=ingest_min_pollers,
            ingest_max_pollers=ingest_max_pollers,
            ingest_window_seconds=ingest_window_seconds,
            ledger_retention_days=ledger_retention_days,
            reconcile_hours=reconcile_hours,
            reconcile_lag_hours=reconcile_lag_hours,
            close_period_day=close_period_day,
            subnet_ids=tuple(subnet_ids),
            security_group_ids=tuple(security_group_ids),
        )
        secret = find_secret(self, amberflo_api_key_secret_name, secret_key)
        self.ingest = IngestPath(self, "Ingest", window_seconds=ingest_window_seconds)
        self.tenants = TenantPath(self, "Tenants")
        # Unique in an account and region, also for two of these in a stack. The name of a stack has up to 128
        # characters, and that of the metric "ExecutionsFailed/…" up to 255.
        self.deployment_name = f"{Aws.STACK_NAME}/{Names.unique_resource_name(self, max_length=109)}"
        self.functions = Functions(
            self,
            "Functions",
            bundle=bundle(runtime, bundle_cache),
            runtime=runtime,
            retention=log_retention,
            deployment_name=self.deployment_name,
            network=Network(subnet_ids, security_group_ids) if subnet_ids else None,
        )
        amberflo = {
            "AMBERFLO_API_KEY_SECRET_ID": secret.id,
            "AMBERFLO_API_KEY_FIELD": amberflo_api_key_secret_id,
            "AMBERFLO_BASE_URL": settings.amberflo_base_url,
            "AMBERFLO_INGEST_URL": settings.ingest_url,
            "AMBERFLO_CHECK_METER_NAMES": str(check_meter_names).lower(),
        }
        self.tasks = self._add_tasks(amberflo)
        self.check_meter_names = check_meter_names
        for task in (task for name, task in self.tasks.items() if name not in _TASKS_WITHOUT_KEY):
            secret.allow_to_read(task)
        self.ledger = Ledger(self, "Ledger", retention_days=ledger_retention_days, log_retention=log_retention)
        for writer in (RECEIPT_WRITER, CANCELLATION_WRITER):
            self.ledger.allow_to_write(self.tasks[writer])
        self.ledger.allow_to_read(self.tasks[RECORD_READER])
        self.meter_locks = MeterLocks(self, "MeterLocks", locker=self.tasks[LOCKER])
        self.machines = StateMachines(
            self,
            "Workflows",
            retention=log_retention,
            ingest_log=ingest_log,
            trace_ingest=trace_ingest,
            deployment_name=self.deployment_name,
        )
        self.state_machines = self._add_machines(self.machines)
        self.rules: list[tuple[events.IEventBus, events.Rule]] = []
        self._bus = BusOfEvents(self, "OwnEvents")
        self.reconciliation = ReconciliationPath(
            self,
            "Reconciliation",
            functions=self.functions,
            machines=self.machines,
            resolve_api_key=self.tasks[KEY_RESOLVER],
            amberflo=amberflo,
            secret=secret,
            ledger=self.ledger,
            ingest=self.ingest,
            bus=self._bus,
            schedule_hours=reconcile_hours,
            lag_hours=reconcile_lag_hours,
        )
        self.state_machines["reconcile_usage"] = self.reconciliation.machine
        self.replay = Replay(
            self,
            "Replay",
            functions=self.functions,
            machines=self.machines,
            ledger=self.ledger,
            ingest=self.ingest,
            ingest_machine=self.state_machines["ingest_usage"],
        )
        self.state_machines["replay_usage"] = self.replay.machine
        periods = PeriodPath(
            self,
            "Periods",
            functions=self.functions,
            machines=self.machines,
            reconciliation=self.reconciliation.machine,
            ingest=self.ingest,
            bus=self._bus,
            day=close_period_day,
            lag_hours=reconcile_lag_hours,
        )
        self.state_machines["close_period"] = periods.machine
        self.api_function = self._add_api_function()
        self.answers = ResponseBucket(self, "Answers", tasks=self.tasks, reader=self.api_function)
        self.queue_function = self._add_queue_function(trace=trace_ingest)
        self.ingest.consume(self.queue_function, settings)
        self.backfill = Backfill(
            self,
            "Backfill",
            functions=self.functions,
            machines=self.machines,
            ingest=self.ingest,
            ingest_machine=self.state_machines["ingest_usage"],
        )
        self.state_machines["backfill_usage"] = self.backfill.machine
        if event_bus:
            self.listen(event_bus, event_sources)

    def listen(self, event_bus: events.IEventBus, event_sources: Sequence[str] = ()) -> None:
        """Process the usage and tenant events of a bus, with the event names of both generations of SBT.

        ``event_sources`` are the accepted sources of usage events; if empty, any source is accepted. Call this for
        one bus only.
        """
        rules = [self.ingest.listen(event_bus, event_sources), *self.tenants.listen(event_bus, self.state_machines)]
        self.rules = [(event_bus, rule) for rule in rules]
        self._bus.bus = event_bus

    def _add_tasks(self, environment: Mapping[str, str]) -> dict[str, lambda_.Function]:
        names = sorted({task for operation in _API_KEY_OPERATIONS for task in operation.tasks})
        return {
            name: self.functions.add(
                name,
                module=f"tasks.{to_snake_case(name)}",
                seconds=find_task_timeout(name) + 1,
                environment={} if name in _TASKS_WITHOUT_KEY else environment,
            )
            for name in names
        }

    def _add_machines(self, machines: StateMachines) -> dict[str, sfn.StateMachine]:
        resources = {
            "RejectedTableName": self.ingest.rejected.table_name,
            "TenantDeadLettersUrl": self.tenants.dead_letters.queue_url,
            "MeterLocksTableName": self.meter_locks.table.table_name,
        }
        state_machines = {
            operation.name: machines.add(operation, self.tasks, resources) for operation in _API_KEY_OPERATIONS
        }
        for operation in _API_KEY_OPERATIONS:
            if "RejectedTableName" in operation.tokens:
                self.ingest.allow_to_reject(state_machines[operation.name])
            if "MeterLocksTableName" in operation.tokens:
                self.meter_locks.table.grant(state_machines[operation.name], "dynamodb:DeleteItem")
            if "TenantDeadLettersUrl" in operation.tokens:
                self.tenants.dead_letters.grant_send_messages(state_machines[operation.name])
        return state_machines

    def _add_api_function(self) -> lambda_.Function:
        machines = {operation.name: self.state_machines[operation.name] for operation in OPERATIONS if operation.route}
        arns = {name: machine.state_machine_arn for name, machine in machines.items()}
        function = self.functions.add(
            "Api",
            module="entrypoints.api",
            seconds=API_TIMEOUT_SECONDS,
            trace=True,
            environment={
                "STATE_MACHINE_ARNS": Stack.of(self).to_json_string(arns),
                "IDEMPOTENCY_TABLE_NAME": self.ingest.call_identities.table_name,
                "REJECTED_TABLE_NAME": self.ingest.rejected.table_name,
            },
        )
        for operation in OPERATIONS:
            if operation.status_route:
                machine = machines[operation.name]
                machine.grant_start_execution(function)
                allow_to_describe(function, machine)
            elif operation.route:
                machines[operation.name].grant_start_sync_execution(function)
        self.ingest.allow_to_reject(function)
        self.ingest.call_identities.grant(
            function, "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"
        )
        return function

    def _add_queue_function(self, *, trace: bool) -> lambda_.Function:
        machine = self.state_machines["ingest_usage"]
        function = self.functions.add(
            "IngestQueue",
            module="entrypoints.ingest_queue",
            seconds=FUNCTION_TIMEOUT_SECONDS,
            trace=trace,
            environment={
                "INGEST_USAGE_STATE_MACHINE_ARN": machine.state_machine_arn,
                "REJECTED_TABLE_NAME": self.ingest.rejected.table_name,
            },
        )
        machine.grant_start_sync_execution(function)
        self.ingest.allow_to_reject(function)
        return function
