"""Alarms that say what they mean and what to do, and a dashboard. An execution that failed is always news."""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from amberflo_workflows.infra.functions import NAMESPACE
from amberflo_workflows.infra.metering import AmberfloMetering
from amberflo_workflows.infra.operations import pascal

FIVE_MINUTES = Duration.minutes(5)
# Usage normally waits a second or two; by then Amberflo has been away for a while.
LATE_USAGE = Duration.minutes(15)


@dataclass(frozen=True)
class _Watch:
    """What to watch and from where on to wake someone."""

    name: str
    metric: cloudwatch.IMetric
    at_least: float
    meaning: str


def alarm_topic(scope: Construct, email: str | None) -> sns.ITopic | None:
    """A topic that mails alarms to an address, if one is given."""
    if not email:
        return None
    topic = sns.Topic(scope, "Alarms", enforce_ssl=True)
    topic.add_subscription(subscriptions.EmailSubscription(email))
    return topic


class Monitoring(Construct):
    """All alarms, each telling ``topic`` if there is one, and the dashboard."""

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
        for watch in [
            *_workflow_watches(metering.state_machines),
            *_usage_watches(metering),
            *_api_watches(metering, http_api),
        ]:
            alarm = cloudwatch.Alarm(
                self,
                watch.name,
                metric=watch.metric,
                threshold=watch.at_least,
                evaluation_periods=1,
                comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
                treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
                alarm_description=watch.meaning,
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
                    graph(title="Usages", left=[_usages("UsagesCounted"), _usages("UsagesRejected")], width=8),
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


def _usages(metric: str) -> cloudwatch.Metric:
    """A count that ``send_usages`` emits."""
    return cloudwatch.Metric(
        namespace=NAMESPACE, metric_name=metric, dimensions_map={"service": "send_usages"}, statistic="Sum"
    )


def _workflow_watches(machines: Mapping[str, sfn.StateMachine]) -> list[_Watch]:
    watches = []
    for machine_name, machine in machines.items():
        name = pascal(machine_name)
        watches += [
            _Watch(
                f"{name}Failed",
                machine.metric_failed(period=FIVE_MINUTES),
                1,
                f"An execution of {machine_name} failed: Amberflo is down or refuses the API key, the secret is not "
                "readable, or a step has a fault. Open the failed execution; its error names which.",
            ),
            _Watch(
                f"{name}TimedOut",
                machine.metric_timed_out(period=FIVE_MINUTES),
                1,
                f"An execution of {machine_name} ran out of time: Amberflo answers too slowly, or steps are throttled. "
                "Open the execution to see which state took the time.",
            ),
        ]
    return watches


def _usage_watches(metering: AmberfloMetering) -> list[_Watch]:
    path = metering.ingest
    return [
        _Watch(
            "UsageRejected",
            _usages("UsagesRejected").with_(period=FIVE_MINUTES),
            1,
            "Usage was refused and is not billed until someone mends it. See why with `metering rejected list`, mend "
            "the sender, and send the usage again with `metering rejected redrive`.",
        ),
        _Watch(
            "UsageDead",
            path.dead_letters.metric_approximate_number_of_messages_visible(period=FIVE_MINUTES),
            1,
            "Usage events could not be delivered five times and wait in the dead-letter queue, for 14 days. Find the "
            "cause in the failed executions of ingest_usage, then send them again with `metering dead redrive`.",
        ),
        _Watch(
            "TenantDead",
            metering.tenants.dead_letters.metric_approximate_number_of_messages_visible(period=FIVE_MINUTES),
            1,
            "A tenant's customer could not be brought up to date; its event waits in a dead-letter queue, for 14 days. "
            "Find the cause in the failed executions, then send it again with `metering dead redrive`.",
        ),
        _Watch(
            "UsageLate",
            path.queue.metric_approximate_age_of_oldest_message(period=FIVE_MINUTES),
            LATE_USAGE.to_seconds(),
            "Usage has waited in the queue for a quarter of an hour: Amberflo is down, or more comes in than is sent. "
            "Nothing is lost. If Amberflo is well, raise ingestConcurrency.",
        ),
    ]


def _api_watches(metering: AmberfloMetering, http_api: apigateway.IHttpApi) -> list[_Watch]:
    functions = {"api": metering.api_function, "ingest_queue": metering.queue_function}
    return [
        _Watch(
            "ApiServerErrors",
            http_api.metric_server_error(period=FIVE_MINUTES),
            5,
            "Callers get 5xx answers. See the failed executions; where there are none, the log of the api function.",
        ),
        *(
            _Watch(
                f"{pascal(name)}Errors",
                function.metric_errors(period=FIVE_MINUTES),
                1,
                f"The function {name} ended with a fault of its own. Its log has the stack trace; usage comes again.",
            )
            for name, function in functions.items()
        ),
    ]
