"""Alarms with descriptions that say what to do, and a dashboard. Every failed execution starts an alarm."""

from aws_cdk import Aws
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from amberflo_workflows.infra.alarms import build_alarm_specs, build_rejected_metric
from amberflo_workflows.infra.metering import AmberfloMetering


def add_alarm_topic(scope: Construct, email: str | None) -> sns.ITopic | None:
    """Add a topic that sends alarms to an email address. Returns ``None`` without an address."""
    if not email:
        return None
    topic = sns.Topic(scope, "Alarms", enforce_ssl=True)
    topic.add_subscription(subscriptions.EmailSubscription(email))
    return topic


def _allow_alarms_to_publish(topic: sns.ITopic) -> None:
    """Let the alarms of the account publish to a topic, and encrypt with its key.

    A policy of a topic, such as that of ``enforce_ssl``, replaces SNS's default one, which would have allowed it. An
    imported topic or key has its policy elsewhere; CDK ignores the call.
    """
    alarms = iam.ServicePrincipal("cloudwatch.amazonaws.com")
    topic.add_to_resource_policy(
        iam.PolicyStatement(
            actions=["sns:Publish"],
            principals=[alarms],
            resources=[topic.topic_arn],
            conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
        )
    )
    if topic.master_key:
        topic.master_key.grant(alarms, "kms:Decrypt", "kms:GenerateDataKey*")


class Monitoring(Construct):
    """All alarms, which notify ``topic`` if it is set, and a dashboard on request. CloudWatch may publish to the topic.

    Create it after ``metering`` listens to its bus, so that each rule gets an alarm.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        metering: AmberfloMetering,
        http_api: apigateway.IHttpApi,
        topic: sns.ITopic | None,
        dashboard: bool = False,
    ) -> None:
        super().__init__(scope, id)
        if topic:
            _allow_alarms_to_publish(topic)
        for spec in build_alarm_specs(metering, http_api):
            alarm = cloudwatch.Alarm(
                self,
                spec.name,
                metric=spec.metric,
                threshold=spec.threshold,
                evaluation_periods=1,
                comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
                treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
                alarm_description=f"{spec.description} See docs/runbook.md.",
            )
            if topic:
                alarm.add_alarm_action(actions.SnsAction(topic))
        if dashboard:
            self._add_dashboard(metering, http_api)

    def _add_dashboard(self, metering: AmberfloMetering, http_api: apigateway.IHttpApi) -> None:
        machines = metering.state_machines.items()
        graph = cloudwatch.GraphWidget
        queue, dead_letters = metering.ingest.queue, metering.ingest.dead_letters
        cloudwatch.Dashboard(
            self,
            "Dashboard",
            widgets=[
                [
                    graph(
                        title="Executions",
                        left=[machine.metric_started(label=name) for name, machine in machines],
                        width=8,
                    ),
                    graph(
                        title="Failed executions",
                        left=[machine.metric_failed(label=name) for name, machine in machines],
                        width=8,
                    ),
                    graph(
                        title="Duration (p95)",
                        left=[machine.metric_time(label=name, statistic="p95") for name, machine in machines],
                        width=8,
                    ),
                ],
                [
                    graph(
                        title="Usage events",
                        left=[
                            queue.metric_number_of_messages_sent(label="Queued"),
                            queue.metric_number_of_messages_deleted(label="Processed"),
                            build_rejected_metric(metering).with_(label="Rejected"),
                        ],
                        width=8,
                    ),
                    graph(
                        title="Usage queue",
                        left=[
                            queue.metric_approximate_number_of_messages_visible(label="Available messages"),
                            queue.metric_approximate_number_of_messages_not_visible(label="Messages in flight"),
                            dead_letters.metric_approximate_number_of_messages_visible(label="Dead-letter messages"),
                        ],
                        right=[queue.metric_approximate_age_of_oldest_message(label="Age of oldest message (s)")],
                        width=8,
                    ),
                    graph(
                        title="HTTP API",
                        left=[http_api.metric_count(), http_api.metric_server_error()],
                        right=[http_api.metric_latency(statistic="p95")],
                        width=8,
                    ),
                ],
            ],
        )
