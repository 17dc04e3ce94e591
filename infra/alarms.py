"""What wakes someone, from where on, and what it means. docs/runbook.md has a section for each."""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Duration, Fn
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn

from amberflo_workflows.infra.functions import NAMESPACE
from amberflo_workflows.infra.metering import AmberfloMetering
from amberflo_workflows.infra.operations import to_pascal_case

FIVE_MINUTES = Duration.minutes(5)
# Usage normally waits a second or two; by then Amberflo has been away for a while.
MAX_USAGE_AGE = Duration.minutes(15)
# SQS forgets after 14 days, and counts those before the event was given up too.
MAX_DEAD_EVENT_AGE = Duration.days(10)


@dataclass(frozen=True)
class AlarmSpec:
    """What to watch and from where on to wake someone."""

    name: str
    metric: cloudwatch.IMetric
    at_least: float
    meaning: str


def build_alarm_specs(metering: AmberfloMetering, http_api: apigateway.IHttpApi) -> list[AlarmSpec]:
    """All there are."""
    return [
        *_build_workflow_alarms(metering.state_machines),
        *_build_usage_alarms(metering),
        *_build_tenant_alarms(metering),
        *(_build_rule_alarm(bus, rule) for bus, rule in metering.rules),
        *_build_api_alarms(metering, http_api),
    ]


def build_count_metric(metric: str, service: str = "send_usages") -> cloudwatch.Metric:
    """A count that a Lambda emits."""
    return cloudwatch.Metric(
        namespace=NAMESPACE, metric_name=metric, dimensions_map={"service": service}, statistic="Sum"
    )


def _build_workflow_alarms(machines: Mapping[str, sfn.StateMachine]) -> list[AlarmSpec]:
    watches = []
    for machine_name, machine in machines.items():
        name = to_pascal_case(machine_name)
        watches += [
            AlarmSpec(
                f"{name}Failed",
                machine.metric_failed(period=FIVE_MINUTES),
                1,
                f"An execution of {machine_name} failed: Amberflo is down or refuses the API key, the secret is not "
                "readable, or a step has a fault. Open the failed execution; its error names which.",
            ),
            AlarmSpec(
                f"{name}TimedOut",
                machine.metric_timed_out(period=FIVE_MINUTES),
                1,
                f"An execution of {machine_name} ran out of time: Amberflo answers too slowly, or steps are throttled. "
                "Open the execution to see which state took the time.",
            ),
        ]
    return watches


def _build_usage_alarms(metering: AmberfloMetering) -> list[AlarmSpec]:
    path = metering.ingest
    return [
        AlarmSpec(
            "UsageRejected",
            build_count_metric("UsagesRejected").with_(period=FIVE_MINUTES),
            1,
            "Usage was refused and is not billed until someone mends it. See why with `metering rejected list`, mend "
            "the sender, and send the usage again with `metering rejected redrive`.",
        ),
        AlarmSpec(
            "UsageDead",
            path.dead_letters.metric_approximate_number_of_messages_visible(period=FIVE_MINUTES),
            1,
            "Usage events could not be delivered five times and wait in the dead-letter queue, for 14 days. Find the "
            "cause in the failed executions of ingest_usage, then send them again with `metering dead redrive`.",
        ),
        _build_dead_for_long_alarm("UsageDeadForLong", path.dead_letters, "Usage is not billed then."),
        AlarmSpec(
            "UsageLate",
            path.queue.metric_approximate_age_of_oldest_message(period=FIVE_MINUTES),
            MAX_USAGE_AGE.to_seconds(),
            "Usage has waited in the queue for a quarter of an hour: Amberflo is down, or more comes in than is sent. "
            "Nothing is lost. If Amberflo is well, raise ingestConcurrency.",
        ),
    ]


def _build_tenant_alarms(metering: AmberfloMetering) -> list[AlarmSpec]:
    dead = metering.tenants.dead_letters
    return [
        AlarmSpec(
            "TenantRejected",
            build_count_metric("TenantsRejected", "customers").with_(period=FIVE_MINUTES),
            1,
            "A tenant event names no tenant, or Amberflo refuses it: the tenant's customer is not as it should be. See "
            "why with `metering rejected list`, mend the sender, send the event anew, and drop this one.",
        ),
        AlarmSpec(
            "TenantDead",
            dead.metric_approximate_number_of_messages_visible(period=FIVE_MINUTES),
            1,
            "A tenant's customer could not be brought up to date; its event waits in a dead-letter queue, for 14 days. "
            "Find the cause in the failed executions, then send it again with `metering dead redrive`.",
        ),
        _build_dead_for_long_alarm("TenantDeadForLong", dead, "The tenant's customer stays as it is then."),
    ]


def _build_dead_for_long_alarm(name: str, dead_letters: sqs.Queue, loss: str) -> AlarmSpec:
    return AlarmSpec(
        name,
        dead_letters.metric_approximate_age_of_oldest_message(period=FIVE_MINUTES),
        MAX_DEAD_EVENT_AGE.to_seconds(),
        f"An event has been in the dead-letter queue for ten days, and SQS deletes it after fourteen. {loss} Send it "
        "again with `metering dead redrive`.",
    )


def _build_rule_alarm(bus: events.IEventBus, rule: events.Rule) -> AlarmSpec:
    """Of a rule on the default bus, the metric bears the rule's name alone."""
    names = ("RuleName",) if bus.event_bus_name == "default" else ("EventBusName", "RuleName")
    # arn:aws:events:REGION:ACCOUNT:rule/BUS/RULE, without the bus if it is the default one
    parts = Fn.split("/", rule.rule_arn)
    return AlarmSpec(
        f"{rule.node.id}Lost",
        cloudwatch.Metric(
            namespace="AWS/Events",
            metric_name="InvocationsFailedToBeSentToDlq",
            dimensions_map={name: Fn.select(place, parts) for place, name in enumerate(names, 1)},
            statistic="Sum",
            period=FIVE_MINUTES,
        ),
        1,
        "An event reached neither its target nor the dead-letter queue and is lost: a queue, or the permission to send "
        "to it, was taken away. Deploy the stack again, and have the sender send again what it sent since.",
    )


def _build_api_alarms(metering: AmberfloMetering, http_api: apigateway.IHttpApi) -> list[AlarmSpec]:
    functions = {"api": metering.api_function, "ingest_queue": metering.queue_function}
    return [
        AlarmSpec(
            "ApiServerErrors",
            http_api.metric_server_error(period=FIVE_MINUTES),
            5,
            "Callers get 5xx answers. See the failed executions; where there are none, the log of the api function.",
        ),
        *(
            AlarmSpec(
                f"{to_pascal_case(name)}Errors",
                function.metric_errors(period=FIVE_MINUTES),
                1,
                f"The function {name} ended with a fault of its own. Its log has the stack trace; usage comes again.",
            )
            for name, function in functions.items()
        ),
    ]
