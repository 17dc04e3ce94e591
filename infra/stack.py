"""The standalone stack: metering with an HTTP API, tokens and alarms of its own."""

from aws_cdk import Environment, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from amberflo_workflows.infra.api import MeteringApi, Scopes
from amberflo_workflows.infra.auth import OwnPool, given_issuer
from amberflo_workflows.infra.metering import AmberfloMetering
from amberflo_workflows.infra.monitoring import Monitoring, alarm_topic
from amberflo_workflows.infra.outputs import add_outputs, outputs_of
from amberflo_workflows.infra.settings import RETENTION, Runtime, Settings


class MeteringStack(Stack):
    """Everything that :class:`Settings` describes, and outputs to find it by."""

    def __init__(
        self, scope: Construct, id: str, *, settings: Settings, runtime: Runtime, env: Environment | None = None
    ) -> None:
        super().__init__(scope, id, env=env, description="Usage metering with Amberflo, as workflows")
        retention = logs.RetentionDays[RETENTION[settings.log_retention_days]]
        self.event_bus = self._bus(settings.event_bus_name)
        self.metering = AmberfloMetering(
            self,
            "Metering",
            amberflo_api_key_secret_name=settings.amberflo_api_key_secret_name,
            amberflo_api_key_secret_id=settings.amberflo_api_key_secret_id,
            amberflo_base_url=settings.amberflo_base_url,
            amberflo_ingest_url=settings.amberflo_ingest_url,
            event_bus=self.event_bus,
            event_sources=settings.event_sources,
            log_retention=retention,
            ingest_log=settings.ingest_log,
            ingest_concurrency=settings.ingest_concurrency,
            secret_key=self._given_key(settings.secret_kms_key_arn),
            runtime=runtime,
        )
        scopes = Scopes(settings.read_scope, settings.write_scope)
        pool = None if settings.issuer else self._pool(settings.admin_email, scopes)
        authorizer = pool.authorizer() if pool else given_issuer(settings.issuer or "", settings.audience)
        self.api = MeteringApi(
            self,
            "Api",
            function=self.metering.api_function,
            authorizer=authorizer,
            scopes=scopes,
            retention=retention,
        )
        Monitoring(
            self,
            "Monitoring",
            metering=self.metering,
            http_api=self.api.http_api,
            topic=alarm_topic(self, settings.alarm_email),
        )
        add_outputs(self, outputs_of(self.metering) | self._own_outputs(pool))

    def _bus(self, name: str | None) -> events.IEventBus:
        if name:
            return events.EventBus.from_event_bus_name(self, "GivenBus", name)
        return events.EventBus(self, "Bus")

    def _given_key(self, arn: str | None) -> kms.IKey | None:
        return kms.Key.from_key_arn(self, "SecretKey", arn) if arn else None

    def _pool(self, admin_email: str | None, scopes: Scopes) -> OwnPool:
        return OwnPool(self, "Auth", functions=self.metering.functions, admin_email=admin_email, scopes=scopes)

    def _own_outputs(self, pool: OwnPool | None) -> dict[str, str]:
        values = {
            "ControlPlaneApiEndpoint": f"{self.api.http_api.api_endpoint}/",
            "HttpApiId": self.api.http_api.api_id,
            "EventBusName": self.event_bus.event_bus_name,
        }
        if pool:
            values["UserPoolId"] = pool.pool.user_pool_id
            values["UserPoolClientId"] = pool.client.user_pool_client_id
            values["TokenEndpoint"] = f"{pool.domain.base_url()}/oauth2/token"
        if pool and pool.user_client:
            values["UserClientId"] = pool.user_client.user_pool_client_id
        return values
