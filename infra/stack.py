"""The standalone stack: metering with its own HTTP API, authorizer and alarms."""

from aws_cdk import Environment, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from amberflo_workflows.infra.api import MeteringApi, Scopes
from amberflo_workflows.infra.auth import CognitoPool, build_issuer_authorizer
from amberflo_workflows.infra.metering import AmberfloMetering
from amberflo_workflows.infra.monitoring import Monitoring, add_alarm_topic
from amberflo_workflows.infra.outputs import add_outputs, build_stack_outputs
from amberflo_workflows.infra.settings import RETENTION, Runtime, Settings


def get_log_retention(settings: Settings) -> logs.RetentionDays:
    """Return CDK's constant for the retention of logs."""
    return logs.RetentionDays[RETENTION[settings.log_retention_days]]


def add_metering(scope: Construct, settings: Settings, runtime: Runtime, bus: events.IEventBus) -> AmberfloMetering:
    """Add the construct with the given settings, listening to a bus."""
    key = kms.Key.from_key_arn(scope, "SecretKey", settings.secret_kms_key_arn) if settings.secret_kms_key_arn else None
    return AmberfloMetering(
        scope,
        "Metering",
        amberflo_api_key_secret_name=settings.amberflo_api_key_secret_name,
        amberflo_api_key_secret_id=settings.amberflo_api_key_secret_id,
        amberflo_base_url=settings.amberflo_base_url,
        amberflo_ingest_url=settings.amberflo_ingest_url,
        event_bus=bus,
        event_sources=settings.event_sources,
        log_retention=get_log_retention(settings),
        ingest_log=settings.ingest_log,
        ingest_concurrency=settings.ingest_concurrency,
        ingest_min_pollers=settings.ingest_min_pollers,
        ingest_max_pollers=settings.ingest_max_pollers,
        ingest_window_seconds=settings.ingest_window_seconds,
        trace_ingest=settings.trace_ingest,
        check_meter_names=settings.check_meter_names,
        ledger_retention_days=settings.ledger_retention_days,
        reconcile_hours=settings.reconcile_hours,
        reconcile_lag_hours=settings.reconcile_lag_hours,
        close_period_day=settings.close_period_day,
        secret_key=key,
        subnet_ids=settings.subnet_ids,
        security_group_ids=settings.security_group_ids,
        runtime=runtime,
    )


class MeteringStack(Stack):
    """All resources of a deployment as in :class:`Settings`, and the outputs that the command line reads."""

    def __init__(
        self, scope: Construct, id: str, *, settings: Settings, runtime: Runtime, env: Environment | None = None
    ) -> None:
        super().__init__(scope, id, env=env, description="Usage metering with Amberflo and Step Functions")
        settings.check_kind("standalone")
        self.event_bus = self._add_bus(settings.event_bus_name)
        self.metering = add_metering(self, settings, runtime, self.event_bus)
        scopes = Scopes(settings.read_scope, settings.write_scope)
        pool = None if settings.issuer else self._add_pool(settings.admin_email, scopes)
        authorizer = (
            pool.build_authorizer() if pool else build_issuer_authorizer(settings.issuer or "", settings.audience)
        )
        self.api = MeteringApi(
            self,
            "Api",
            function=self.metering.api_function,
            authorizer=authorizer,
            scopes=scopes,
            retention=get_log_retention(settings),
            cors_origins=settings.cors_origins,
        )
        Monitoring(
            self,
            "Monitoring",
            metering=self.metering,
            http_api=self.api.http_api,
            topic=add_alarm_topic(self, settings.alarm_email),
            dashboard=settings.dashboard,
        )
        add_outputs(self, build_stack_outputs(self.metering) | self._build_own_outputs(pool))

    def _add_bus(self, name: str | None) -> events.IEventBus:
        if name:
            return events.EventBus.from_event_bus_name(self, "ImportedBus", name)
        return events.EventBus(self, "Bus")

    def _add_pool(self, admin_email: str | None, scopes: Scopes) -> CognitoPool:
        return CognitoPool(self, "Auth", functions=self.metering.functions, admin_email=admin_email, scopes=scopes)

    def _build_own_outputs(self, pool: CognitoPool | None) -> dict[str, str]:
        values = {
            "ControlPlaneApiEndpoint": f"{self.api.http_api.api_endpoint}/",
            "HttpApiId": self.api.http_api.api_id,
            "EventBusName": self.event_bus.event_bus_name,
        }
        if pool:
            values["UserPoolId"] = pool.pool.user_pool_id
            values["UserPoolClientId"] = pool.client.user_pool_client_id
            values["TokenEndpoint"] = pool.build_token_endpoint()
        if pool and pool.user_client:
            values["UserClientId"] = pool.user_client.user_pool_client_id
        return values
