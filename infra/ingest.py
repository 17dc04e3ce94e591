"""The path of usage events: bus, rule, queue and dead-letter queue; and the table of rejected usage."""

from collections.abc import Sequence
from typing import Final

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from amberflo_workflows.infra.nag import acknowledge
from amberflo_workflows.infra.operations import STATUS_INDEX
from amberflo_workflows.infra.settings import Settings
from amberflo_workflows.infra.storage import KEEP, build_queue

# The names of the event in both generations of SBT.
DETAIL_TYPES: Final = ("ingestUsage", "sbt_aws_ingestUsage")
FUNCTION_TIMEOUT_SECONDS: Final = 270
MAX_RECEIVE_COUNT: Final = 5
# Lambda allows batches of more than ten messages only with a window.
BATCH_SIZE: Final = 1000
BATCH_SIZE_WITHOUT_WINDOW: Final = 10


def compute_visibility_timeout(window_seconds: int) -> Duration:
    """Return how long a message of the usage queue is hidden after it was received.

    As AWS recommends, so that retries of a throttled batch do not count as failures:
    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html.
    """
    return Duration.seconds(6 * FUNCTION_TIMEOUT_SECONDS + window_seconds)


class IngestPath(Construct):
    """Keeps each usage event until its usage is counted or rejected, or the event is in the dead-letter queue.

    Events wait up to ``window_seconds`` for others in a batch.
    """

    def __init__(self, scope: Construct, id: str, *, window_seconds: int) -> None:
        super().__init__(scope, id)
        self._window_seconds = window_seconds
        self.dead_letters = build_queue(self, "DeadLetters")
        self.queue = build_queue(
            self,
            "Usage",
            visibility_timeout=compute_visibility_timeout(window_seconds),
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=MAX_RECEIVE_COUNT),
        )
        self.rejected = dynamodb.Table(
            self,
            "Rejected",
            partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.AWS_MANAGED,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            removal_policy=KEEP,
        )
        # What a list shows and filters by; the original, which can be large, is read from the table.
        self.rejected.add_global_secondary_index(
            index_name=STATUS_INDEX,
            partition_key=dynamodb.Attribute(name="status", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="rejectedAt", type=dynamodb.AttributeType.STRING),
            projection_type=dynamodb.ProjectionType.INCLUDE,
            non_key_attributes=["tenantId", "meterApiName", "reason"],
        )
        self.call_identities = dynamodb.Table(
            self,
            "CallIdentities",
            partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
            time_to_live_attribute="expiration",
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.AWS_MANAGED,
            removal_policy=RemovalPolicy.DESTROY,
        )
        acknowledge(
            self.call_identities,
            {"AwsSolutions-DDB3": "Idempotency keys for 60 days. Without them a repeated call may count twice."},
        )

    def allow_to_reject(self, grantee: iam.IGrantable) -> None:
        """Allow to put items into the rejected table. CDK's own grant would add its indexes, which nobody can write."""
        iam.Grant.add_to_principal(
            grantee=grantee, actions=["dynamodb:PutItem"], resource_arns=[self.rejected.table_arn]
        )

    def listen(self, bus: events.IEventBus, event_sources: Sequence[str]) -> events.Rule:
        """Queue the usage events of a bus. If ``event_sources`` is empty, events from any source are accepted."""
        return events.Rule(
            self,
            "UsageEvents",
            event_bus=bus,
            description="Usage events for the usage queue",
            event_pattern=events.EventPattern(
                detail_type=list(DETAIL_TYPES), source=list(event_sources) if event_sources else None
            ),
            targets=[targets.SqsQueue(self.queue, dead_letter_queue=self.dead_letters)],
        )

    def consume(self, function: lambda_.Function, settings: Settings) -> None:
        """Invoke ``function`` with batches of the queue, with provisioned pollers if the settings have them."""
        pollers = (
            lambda_.ProvisionedPollerConfig(
                minimum_pollers=settings.ingest_min_pollers, maximum_pollers=settings.ingest_max_pollers
            )
            if settings.ingest_min_pollers is not None and settings.ingest_max_pollers is not None
            else None
        )
        function.add_event_source(
            sources.SqsEventSource(
                self.queue,
                batch_size=BATCH_SIZE if self._window_seconds else BATCH_SIZE_WITHOUT_WINDOW,
                max_batching_window=Duration.seconds(self._window_seconds),
                report_batch_item_failures=True,
                max_concurrency=None if pollers else settings.max_batches,
                provisioned_poller_config=pollers,
            )
        )
