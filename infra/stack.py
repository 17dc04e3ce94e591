"""The standalone stack: metering with an HTTP API, tokens and alarms of its own."""

from aws_cdk import CfnOutput, Environment, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from amberflo_workflows.infra.api import MeteringApi
from amberflo_workflows.infra.auth import MachinePool, given_issuer
from amberflo_workflows.infra.metering import AmberfloMetering
from amberflo_workflows.infra.monitoring import Monitoring
from amberflo_workflows.infra.settings import RETENTION, Runtime, Settings


class MeteringStack(Stack):
    """Everything that :class:`Settings` describes, and outputs to find it by."""

    def __init__(
        self, scope: Construct, id: str, *, settings: Settings, runtime: Runtime, env: Environment | None = None
    ) -> None:
        super().__init__(scope, id, env=env, description="Usage metering with Amberflo, as workflows")
        retention = logs.RetentionDays[RETENTION[settings.log_retention_days]]
        self.metering = AmberfloMetering(
            self,
            "Metering",
            amberflo_api_key_secret_name=settings.amberflo_api_key_secret_name,
            amberflo_api_key_secret_id=settings.amberflo_api_key_secret_id,
            amberflo_base_url=settings.amberflo_base_url,
            amberflo_ingest_url=settings.amberflo_ingest_url,
            event_bus=self._given_bus(settings.event_bus_name),
            event_sources=settings.event_sources,
            log_retention=retention,
            ingest_log=settings.ingest_log,
            ingest_concurrency=settings.ingest_concurrency,
            secret_key=self._given_key(settings.secret_kms_key_arn),
            runtime=runtime,
        )
        pool = None if settings.issuer else MachinePool(self, "Auth")
        authorizer = pool.authorizer() if pool else given_issuer(settings.issuer or "", settings.audience)
        self.api = MeteringApi(
            self, "Api", function=self.metering.api_function, authorizer=authorizer, retention=retention
        )
        Monitoring(self, "Monitoring", metering=self.metering, api=self.api, topic=self._topic(settings.alarm_email))
        self._outputs(pool)

    def _given_bus(self, name: str | None) -> events.IEventBus | None:
        return events.EventBus.from_event_bus_name(self, "GivenBus", name) if name else None

    def _given_key(self, arn: str | None) -> kms.IKey | None:
        return kms.Key.from_key_arn(self, "SecretKey", arn) if arn else None

    def _topic(self, email: str | None) -> sns.ITopic | None:
        if not email:
            return None
        topic = sns.Topic(self, "Alarms", enforce_ssl=True)
        topic.add_subscription(subscriptions.EmailSubscription(email))
        return topic

    def _outputs(self, pool: MachinePool | None) -> None:
        path = self.metering.ingest
        arns = {name: machine.state_machine_arn for name, machine in self.metering.state_machines.items()}
        values = {
            "ControlPlaneApiEndpoint": f"{self.api.http_api.api_endpoint}/",
            "HttpApiId": self.api.http_api.api_id,
            "EventBusName": self.metering.event_bus.event_bus_name,
            "UsageQueueUrl": path.queue.queue_url,
            "UsageDeadLetterQueueUrl": path.dead_letters.queue_url,
            "TenantDeadLetterQueueUrl": self.metering.tenants.dead_letters.queue_url,
            "RejectedTableName": path.rejected.table_name,
            "BackfillBucketName": self.metering.backfill.bucket.bucket_name,
            "StateMachineArns": self.to_json_string(arns),
            "IngestQueueFunctionName": self.metering.queue_function.function_name,
        }
        if pool:
            values["UserPoolId"] = pool.pool.user_pool_id
            values["UserPoolClientId"] = pool.client.user_pool_client_id
            values["TokenEndpoint"] = f"{pool.domain.base_url()}/oauth2/token"
        for name, value in values.items():
            CfnOutput(self, name, value=value)
