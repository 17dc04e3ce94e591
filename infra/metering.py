"""The construct that puts usage metering with Amberflo into a stack."""

from pathlib import Path

from aws_cdk import Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from amberflo_workflows.infra.backfill import Backfill
from amberflo_workflows.infra.bundle import bundle
from amberflo_workflows.infra.functions import Functions
from amberflo_workflows.infra.ingest import FUNCTION_SECONDS, IngestPath
from amberflo_workflows.infra.operations import OPERATIONS, Kind, snake, task_seconds
from amberflo_workflows.infra.settings import IngestLog, Runtime, Settings
from amberflo_workflows.infra.state_machines import StateMachines
from amberflo_workflows.infra.tenants import TenantPath

# API Gateway answers for us after 30 s; the function comes before it.
API_SECONDS = 29
DEFAULTS = Settings()


class AmberfloMetering(Construct):
    """Every metering operation as a workflow, the function that serves HTTP calls, and the way of usage events.

    ``amberflo_api_key_secret_name`` names the secret, ``amberflo_api_key_secret_id`` the field of its JSON with the
    API key. The secret has to be there by the first call, not by the deployment; ``secret_key`` is what it is
    encrypted with, if not AWS's own key. ``amberflo_ingest_url`` is
    Amberflo's ingest host with fail-over while the base URL is the default, else the base URL.

    Members: ``api_function`` (for any HTTP API or for SBT's ``IMetering``), ``queue_function``, ``event_bus``,
    ``ingest`` (queue, dead letters, rejected table), ``tasks`` and ``state_machines`` by name.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        amberflo_api_key_secret_name: str = DEFAULTS.amberflo_api_key_secret_name,
        amberflo_api_key_secret_id: str = DEFAULTS.amberflo_api_key_secret_id,
        amberflo_base_url: str = DEFAULTS.amberflo_base_url,
        amberflo_ingest_url: str | None = None,
        secret_key: kms.IKey | None = None,
        event_bus: events.IEventBus | None = None,
        event_sources: tuple[str, ...] = (),
        log_retention: logs.RetentionDays = logs.RetentionDays.ONE_MONTH,
        ingest_log: IngestLog = DEFAULTS.ingest_log,
        ingest_concurrency: int = DEFAULTS.ingest_concurrency,
        runtime: Runtime | None = None,
        bundle_cache: Path | None = None,
    ) -> None:
        super().__init__(scope, id)
        runtime = runtime or Runtime()
        where = Settings(amberflo_base_url=amberflo_base_url, amberflo_ingest_url=amberflo_ingest_url)
        secret = secretsmanager.Secret.from_secret_name_v2(self, "ApiKey", amberflo_api_key_secret_name)
        self.event_bus = event_bus or events.EventBus(self, "Bus")
        self.ingest = IngestPath(self, "Ingest")
        self.tenants = TenantPath(self, "Tenants")

        functions = Functions(
            self, "Functions", bundle=bundle(runtime, bundle_cache), runtime=runtime, retention=log_retention
        )
        with_a_key = [operation for operation in OPERATIONS if operation.kind is not Kind.BACKFILL]
        names = sorted({task for operation in with_a_key for task in operation.tasks})
        self.tasks: dict[str, lambda_.Function] = {}
        for name in names:
            task = functions.add(
                name,
                module=f"tasks.{snake(name)}",
                seconds=task_seconds(name) + 1,
                environment={
                    "AMBERFLO_API_KEY_SECRET_ID": amberflo_api_key_secret_name,
                    "AMBERFLO_API_KEY_FIELD": amberflo_api_key_secret_id,
                    "AMBERFLO_BASE_URL": where.amberflo_base_url,
                    "AMBERFLO_INGEST_URL": where.ingest_url,
                },
            )
            self._allow_to_read(task, secret)
            if secret_key:
                secret_key.grant_decrypt(task)
            self.tasks[name] = task

        machines = StateMachines(self, "Workflows", retention=log_retention, ingest_log=ingest_log)
        others = {
            "RejectedTableName": self.ingest.rejected.table_name,
            "TenantDeadLettersUrl": self.tenants.dead_letters.queue_url,
        }
        self.state_machines: dict[str, sfn.StateMachine] = {
            operation.name: machines.add(operation, self.tasks, others) for operation in with_a_key
        }
        ingest_machine = self.state_machines["ingest_usage"]
        for operation in with_a_key:
            if "RejectedTableName" in operation.tokens:
                self.ingest.rejected.grant(self.state_machines[operation.name], "dynamodb:PutItem")

        routed = {operation.name: self.state_machines[operation.name] for operation in OPERATIONS if operation.route}
        arns = {name: machine.state_machine_arn for name, machine in routed.items()}
        parking = {"REJECTED_TABLE_NAME": self.ingest.rejected.table_name}
        self.api_function = functions.add(
            "Api",
            module="entrypoints.api",
            seconds=API_SECONDS,
            environment={
                "STATE_MACHINE_ARNS": Stack.of(self).to_json_string(arns),
                "IDEMPOTENCY_TABLE_NAME": self.ingest.call_identities.table_name,
                **parking,
            },
        )
        self.queue_function = functions.add(
            "IngestQueue",
            module="entrypoints.ingest_queue",
            seconds=FUNCTION_SECONDS,
            environment={"INGEST_USAGE_STATE_MACHINE_ARN": ingest_machine.state_machine_arn, **parking},
        )
        for machine in routed.values():
            machine.grant_start_sync_execution(self.api_function)
        ingest_machine.grant_start_sync_execution(self.queue_function)
        for entry_point in (self.api_function, self.queue_function):
            self.ingest.rejected.grant(entry_point, "dynamodb:PutItem")
        self.ingest.call_identities.grant(
            self.api_function, "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"
        )
        self.backfill = Backfill(
            self,
            "Backfill",
            functions=functions,
            machines=machines,
            ingest=self.ingest,
            ingest_machine=ingest_machine,
        )
        self.state_machines["backfill_usage"] = self.backfill.machine
        self.ingest.listen(self.event_bus, event_sources)
        self.tenants.listen(self.event_bus, self.state_machines)
        self.ingest.consume(self.queue_function, ingest_concurrency)

    @staticmethod
    def _allow_to_read(function: lambda_.Function, secret: secretsmanager.ISecret) -> None:
        function.add_to_role_policy(
            iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=[f"{secret.secret_arn}-??????"])
        )
