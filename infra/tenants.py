"""The way of tenant events: a rule for each workflow, and a queue for what could not be dealt with."""

from collections.abc import Mapping
from typing import Final

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from amberflo_workflows.infra.nag import acknowledge
from amberflo_workflows.infra.operations import OPERATIONS, OperationKind

# How long EventBridge goes on trying to start a workflow that is throttled.
MAX_EVENT_AGE: Final = Duration.hours(24)


class TenantPath(Construct):
    """Tenants become customers: few events, so their state machines are the rules' targets themselves."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        self.dead_letters = sqs.Queue(
            self,
            "DeadLetters",
            retention_period=Duration.days(14),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            removal_policy=RemovalPolicy.RETAIN,
        )
        acknowledge(
            self.dead_letters,
            {"AwsSolutions-SQS3": "It is the dead-letter queue itself, of the rules and of the workflows."},
        )

    def listen(self, bus: events.IEventBus, machines: Mapping[str, sfn.StateMachine]) -> list[events.Rule]:
        """Start the workflows for the tenant events of a bus, from whichever source: SBT's has changed its name."""
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
