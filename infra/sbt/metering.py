"""Metering as a control plane of the SaaS Builder Toolkit takes it, through the generated Python bindings."""

from typing import Any, Final

import amberflo_sbt as sbt
import jsii
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration
from constructs import Construct

from amberflo_workflows.infra.api import Scopes, build_route_key
from amberflo_workflows.infra.metering import AmberfloMetering
from amberflo_workflows.infra.operations import INGEST

FORWARDER_TIMEOUT_SECONDS: Final = 30
_EVENT_FUNCTIONS: Final = ("UsageEvent", "CreateCustomerEvent", "DeleteCustomerEvent")


class UnsupportedControlPlane(ValueError):
    """The control plane is not built as the releases of SBT are that this was made for."""


@jsii.implements(sbt.ISyncFunction)
class _SyncFunction:
    """A function behind a route, and the scope that a token needs for it."""

    def __init__(self, handler: lambda_.IFunction, scope: str | None) -> None:
        self._handler, self._scope = handler, scope

    @property
    def handler(self) -> lambda_.IFunction:
        """The function."""
        return self._handler

    @property
    def scope(self) -> str | None:
        """The scope, ``None`` for none."""
        return self._scope


@jsii.implements(sbt.IASyncFunction)
class _AsyncFunction:
    """A function behind an event of the control plane's bus."""

    def __init__(self, handler: lambda_.IFunction) -> None:
        self._handler = handler

    @property
    def handler(self) -> lambda_.IFunction:
        """The function."""
        return self._handler


@jsii.implements(sbt.IMetering)
class SbtAmberfloMetering(AmberfloMetering):
    """:class:`AmberfloMetering` as SBT's ``IMetering``: give it to ``ControlPlane(metering=…)``.

    The control plane makes seven routes, and rules that call a Lambda for each event. ``read_scope`` and
    ``write_scope`` are what a token needs for reading and changing; by default none, as for SBT's own tenant routes.
    :meth:`extend` does the rest.
    """

    def __init__(
        self, scope: Construct, id: str, *, read_scope: str | None = None, write_scope: str | None = None, **more: Any
    ) -> None:
        super().__init__(scope, id, **more)
        self._scopes = Scopes(read_scope, write_scope)
        self._read, self._write = (
            _SyncFunction(self.api_function, read_scope),
            _SyncFunction(self.api_function, write_scope),
        )
        self._usage = self._usage_forwarder()
        self._onboarding = self._tenant_forwarder("CreateCustomerEvent", "create_customer")
        self._offboarding = self._tenant_forwarder("DeleteCustomerEvent", "delete_customer")

    def extend(self, control_plane: sbt.ControlPlane) -> None:
        """What ``IMetering`` has no place for: ``POST /ingest`` on its API, and events without a Lambda in between.

        The rules that the control plane made, for the event names of its own generation, are taken away in favour of
        rules for both that lead straight to the queue and the workflows. Raises :class:`UnsupportedControlPlane`.
        """
        api, provider = (control_plane.node.try_find_child(name) for name in ("controlPlaneApi", "Metering"))
        if not isinstance(api, sbt.ControlPlaneAPI) or not provider:
            raise UnsupportedControlPlane(
                "This control plane has no API or no metering where SBT 0.5 has them: give it metering=…, and leave "
                "extend() out if it is a newer SBT."
            )
        apigateway.HttpRoute(
            self,
            "IngestRoute",
            http_api=api.api,
            route_key=build_route_key(INGEST),
            integration=HttpLambdaIntegration("Ingest", self.api_function),
            authorizer=api.jwt_authorizer,
            authorization_scopes=self._scopes.of(INGEST),
        )
        for rule in [child for child in provider.node.children if isinstance(child, events.Rule)]:
            provider.node.try_remove_child(rule.node.id)
        for name in _EVENT_FUNCTIONS:
            self.functions.remove(name)
        self.listen(events.EventBus.from_event_bus_arn(self, "ControlPlaneBus", control_plane.event_manager.bus_arn))

    def _usage_forwarder(self) -> _AsyncFunction:
        queue = self.ingest.queue
        function = self._forwarder(
            "UsageEvent", "usage_event", {"QUEUE_URL": queue.queue_url}, self.ingest.dead_letters
        )
        queue.grant_send_messages(function)
        return _AsyncFunction(function)

    def _tenant_forwarder(self, name: str, workflow: str) -> _AsyncFunction:
        machine = self.state_machines[workflow]
        environment = {"STATE_MACHINE_ARN": machine.state_machine_arn}
        function = self._forwarder(name, "tenant_event", environment, self.tenants.dead_letters)
        machine.grant_start_execution(function)
        return _AsyncFunction(function)

    def _forwarder(
        self, name: str, module: str, environment: dict[str, str], dead_letters: sqs.IQueue
    ) -> lambda_.Function:
        return self.functions.add(
            name,
            module=f"entrypoints.{module}",
            seconds=FORWARDER_TIMEOUT_SECONDS,
            environment=environment,
            dead_letters=dead_letters,
        )

    @property
    def create_meter_function(self) -> _SyncFunction:
        """``POST /meters``."""
        return self._write

    @property
    def fetch_meter_function(self) -> _SyncFunction:
        """``GET /meters/{meterId}``."""
        return self._read

    @property
    def fetch_all_meters_function(self) -> _SyncFunction:
        """``GET /meters``."""
        return self._read

    @property
    def update_meter_function(self) -> _SyncFunction:
        """``PUT /meters/{meterId}``."""
        return self._write

    @property
    def delete_meter_function(self) -> _SyncFunction:
        """``DELETE /meters/{meterId}``."""
        return self._write

    @property
    def fetch_usage_function(self) -> _SyncFunction:
        """``GET /usage/{meterId}``."""
        return self._read

    @property
    def cancel_usage_events_function(self) -> _SyncFunction:
        """``DELETE /usage``."""
        return self._write

    @property
    def ingest_usage_event_function(self) -> _AsyncFunction:
        """Usage events."""
        return self._usage

    @property
    def create_customer_function(self) -> _AsyncFunction:
        """Onboarding events."""
        return self._onboarding

    @property
    def delete_customer_function(self) -> _AsyncFunction:
        """Offboarding events."""
        return self._offboarding
