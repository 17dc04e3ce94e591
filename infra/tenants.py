"""The path of tenant events: a rule for each workflow, and a dead-letter queue."""

from collections.abc import Mapping
from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from amberflo_workflows.infra.nag import acknowledge
from amberflo_workflows.infra.operations import OPERATIONS, OperationKind
from amberflo_workflows.infra.storage import build_queue

# How long EventBridge retries to start a workflow, for example if it is throttled.
MAX_EVENT_AGE: Final = Duration.hours(24)


class TenantPath(Construct):
    """Creates and updates the customers of tenants. The events are few, so the rules start the workflows directly."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        self.dead_letters = build_queue(self, "DeadLetters")
        acknowledge(
            self.dead_letters,
            {"AwsSolutions-SQS3": "It is itself the dead-letter queue of the rules and of the workflows."},
        )

    def listen(self, bus: events.IEventBus, machines: Mapping[str, sfn.StateMachine]) -> list[events.Rule]:
        """Start the workflows for the tenant events of a bus, from any source, since SBT has renamed its source."""
        return [
            events.Rule(
                self,
                f"{operation.pascal_name}Events",
                event_bus=bus,
                description=f"Tenant events for {operation.name}",
                event_pattern=events.EventPattern(detail_type=list(operation.detail_types)),
                targets=[
                    targets.SfnStateMachine(
                        machines[operation.name], dead_letter_queue=self.dead_letters, max_event_age=MAX_EVENT_AGE
                    )
                ],
            )
            for operation in OPERATIONS
            if operation.kind is OperationKind.TENANT
        ]
