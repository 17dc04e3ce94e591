"""The bus for the deployment's own events: the one that it listens to, or the account's default bus."""

import jsii
from aws_cdk import IStableStringProducer, Lazy, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct


@jsii.implements(IStableStringProducer)
class _BusName:
    def __init__(self, bus: "BusOfEvents") -> None:
        self._bus = bus

    def produce(self) -> str:
        """The name, which is known once the app is complete."""
        name: str = self._bus.bus.event_bus_name if self._bus.bus else "default"
        return name


class BusOfEvents(Construct):
    """A bus that may be set later: a control plane of SBT creates its bus after its metering."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        self.bus: events.IEventBus | None = None
        self.name = Lazy.string(_BusName(self))

    def allow_to_put(self, machine: sfn.StateMachine) -> None:
        """Allow a workflow to put events."""
        arn = Stack.of(self).format_arn(service="events", resource="event-bus", resource_name=self.name)
        machine.add_to_role_policy(iam.PolicyStatement(actions=["events:PutEvents"], resources=[arn]))
