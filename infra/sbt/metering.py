"""Metering for a control plane of the SaaS Builder Toolkit, with the generated Python bindings."""

from typing import Any, Final

import amberflo_sbt as sbt
import jsii
from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from amberflo_workflows.infra.api import ROUTES, Scopes, add_routes
from amberflo_workflows.infra.executions import allow_to_describe
from amberflo_workflows.infra.metering import AmberfloMetering

FORWARDER_TIMEOUT_SECONDS: Final = 30
# The routes that the interface has, and that the control plane adds itself.
_INTERFACE_ROUTES: Final = {
    *("CreateMeter", "ListMeters", "GetMeter", "UpdateMeter", "DeleteMeter", "FetchUsage", "CancelUsage")
}
_EVENT_FUNCTIONS: Final = ("UsageEvent", "CreateCustomerEvent", "DeleteCustomerEvent")


class UnsupportedControlPlane(ValueError):
    """The control plane is not built as in the supported releases of SBT."""


@jsii.implements(sbt.ISyncFunction)
class _SyncFunction:
    """A function behind a route, and the scope that its tokens need."""

    def __init__(self, handler: lambda_.IFunction, scope: str | None) -> None:
        self._handler, self._scope = handler, scope

    @property
    def handler(self) -> lambda_.IFunction:
        """The function, as SBT's interface requires it."""
        return self._handler

    @property
    def scope(self) -> str | None:
        """The scope, or ``None`` if no scope is required."""
        return self._scope


@jsii.implements(sbt.IASyncFunction)
class _AsyncFunction:
    """A function behind an event of the control plane's bus."""

    def __init__(self, handler: lambda_.IFunction) -> None:
        self._handler = handler

    @property
    def handler(self) -> lambda_.IFunction:
        """The function, as SBT's interface requires it."""
        return self._handler


@jsii.implements(sbt.IMetering)
class SbtAmberfloMetering(AmberfloMetering):
    """:class:`AmberfloMetering` as SBT's ``IMetering``: pass it to ``ControlPlane(metering=…)``.

    The control plane creates seven routes, and rules that invoke a Lambda for each event. ``read_scope`` and
    ``write_scope`` are the scopes that a token needs to read and to write; by default none, as for SBT's own tenant
    routes. :meth:`extend` adds what SBT's interface does not cover.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        read_scope: str | None = None,
        write_scope: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(scope, id, **options)
        self._scopes = Scopes(read_scope, write_scope)
        self._read, self._write = (
            _SyncFunction(self.api_function, read_scope),
            _SyncFunction(self.api_function, write_scope),
        )
        self._usage = self._add_usage_forwarder()
        self._onboarding = self._add_tenant_forwarder("CreateCustomerEvent", "create_customer")
        self._offboarding = self._add_tenant_forwarder("DeleteCustomerEvent", "delete_customer")

    def extend(self, control_plane: sbt.ControlPlane) -> None:
        """Add what ``IMetering`` cannot: the other routes on the control plane's API, and rules without a Lambda.

        The control plane's own rules, which have the event names of its own generation only, are removed. The new rules
        have the names of both generations, and their targets are the queue and the workflows. Raises
        :class:`UnsupportedControlPlane`.
        """
        api, provider = (control_plane.node.try_find_child(name) for name in ("controlPlaneApi", "Metering"))
        if not isinstance(api, sbt.ControlPlaneAPI) or not provider:
            raise UnsupportedControlPlane(
                "The control plane has no API or no metering where SBT 0.5 has them. Pass metering=… to ControlPlane. "
                "With a newer SBT, do not call extend()."
            )
        add_routes(
            self,
            http_api=api.api,
            function=self.api_function,
            authorizer=api.jwt_authorizer,
            scopes=self._scopes,
            routes={name: route for name, route in ROUTES.items() if name not in _INTERFACE_ROUTES},
        )
        for rule in [child for child in provider.node.children if isinstance(child, events.Rule)]:
            provider.node.try_remove_child(rule.node.id)
        for name in _EVENT_FUNCTIONS:
            self.functions.remove(name)
        self.listen(events.EventBus.from_event_bus_arn(self, "ControlPlaneBus", control_plane.event_manager.bus_arn))

    def _add_usage_forwarder(self) -> _AsyncFunction:
        queue = self.ingest.queue
        function = self._add_forwarder(
            "UsageEvent", "usage_event", {"QUEUE_URL": queue.queue_url}, self.ingest.dead_letters
        )
        queue.grant_send_messages(function)
        return _AsyncFunction(function)

    def _add_tenant_forwarder(self, name: str, workflow: str) -> _AsyncFunction:
        machine = self.state_machines[workflow]
        environment = {"STATE_MACHINE_ARN": machine.state_machine_arn}
        function = self._add_forwarder(name, "tenant_event", environment, self.tenants.dead_letters)
        machine.grant_start_execution(function)
        allow_to_describe(function, machine)
        return _AsyncFunction(function)

    def _add_forwarder(
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
        """The function for ``POST /meters``."""
        return self._write

    @property
    def fetch_meter_function(self) -> _SyncFunction:
        """The function for ``GET /meters/{meterId}``."""
        return self._read

    @property
    def fetch_all_meters_function(self) -> _SyncFunction:
        """The function for ``GET /meters``."""
        return self._read

    @property
    def update_meter_function(self) -> _SyncFunction:
        """The function for ``PUT /meters/{meterId}``."""
        return self._write

    @property
    def delete_meter_function(self) -> _SyncFunction:
        """The function for ``DELETE /meters/{meterId}``."""
        return self._write

    @property
    def fetch_usage_function(self) -> _SyncFunction:
        """The function for ``GET /usage/{meterId}``."""
        return self._read

    @property
    def cancel_usage_events_function(self) -> _SyncFunction:
        """The function for ``DELETE /usage``."""
        return self._write

    @property
    def ingest_usage_event_function(self) -> _AsyncFunction:
        """The function for usage events."""
        return self._usage

    @property
    def create_customer_function(self) -> _AsyncFunction:
        """The function for onboarding events."""
        return self._onboarding

    @property
    def delete_customer_function(self) -> _AsyncFunction:
        """The function for offboarding events."""
        return self._offboarding
