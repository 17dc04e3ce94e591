"""Alarms that say what they mean and what to do, and a dashboard. An execution that failed is always news."""

from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from amberflo_workflows.infra.alarms import build_alarm_specs, build_count_metric
from amberflo_workflows.infra.metering import AmberfloMetering


def add_alarm_topic(scope: Construct, email: str | None) -> sns.ITopic | None:
    """A topic that mails alarms to an address, if one is given."""
    if not email:
        return None
    topic = sns.Topic(scope, "Alarms", enforce_ssl=True)
    topic.add_subscription(subscriptions.EmailSubscription(email))
    return topic


class Monitoring(Construct):
    """All alarms, each telling ``topic`` if there is one, and the dashboard.

    To be made when ``metering`` listens to its bus, so that there is one for each rule.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        metering: AmberfloMetering,
        http_api: apigateway.IHttpApi,
        topic: sns.ITopic | None,
    ) -> None:
        super().__init__(scope, id)
        for watch in build_alarm_specs(metering, http_api):
            alarm = cloudwatch.Alarm(
                self,
                watch.name,
                metric=watch.metric,
                threshold=watch.at_least,
                evaluation_periods=1,
                comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
                treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
                alarm_description=f"{watch.meaning} More in docs/runbook.md.",
            )
            if topic:
                alarm.add_alarm_action(actions.SnsAction(topic))
        self._dashboard(metering, http_api)

    def _dashboard(self, metering: AmberfloMetering, http_api: apigateway.IHttpApi) -> None:
        machines = metering.state_machines
        graph = cloudwatch.GraphWidget
        queue, dead = metering.ingest.queue, metering.ingest.dead_letters
        cloudwatch.Dashboard(
            self,
            "Dashboard",
            widgets=[
                [
                    graph(title="Executions", left=[m.metric_started(label=n) for n, m in machines.items()], width=8),
                    graph(
                        title="Failed executions", left=[m.metric_failed(label=n) for n, m in machines.items()], width=8
                    ),
                    graph(
                        title="Duration, p95",
                        left=[m.metric_time(label=n, statistic="p95") for n, m in machines.items()],
                        width=8,
                    ),
                ],
                [
                    graph(
                        title="Usages",
                        left=[build_count_metric("UsagesCounted"), build_count_metric("UsagesRejected")],
                        width=8,
                    ),
                    graph(
                        title="Usage queue",
                        left=[
                            queue.metric_approximate_number_of_messages_visible(label="waiting"),
                            queue.metric_approximate_number_of_messages_not_visible(label="in flight"),
                            dead.metric_approximate_number_of_messages_visible(label="dead"),
                        ],
                        right=[queue.metric_approximate_age_of_oldest_message(label="age of the oldest, s")],
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
