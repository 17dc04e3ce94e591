"""The alarms: metric, threshold and description of each. docs/runbook.md has a section for each of them.

An alarm costs $0.10 a month for each of its metrics, also those of an expression, and a composite alarm $0.50. What a
person would handle in the same way therefore shares a metric, and that alarm.
"""

from dataclasses import dataclass
from typing import Final

from aws_cdk import Duration, Fn, Token
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_sqs as sqs

from amberflo_workflows.infra.ingest import IngestPath
from amberflo_workflows.infra.ledger import Ledger
from amberflo_workflows.infra.metering import AmberfloMetering
from amberflo_workflows.infra.operations import to_pascal_case
from amberflo_workflows.infra.state_machines import NAMESPACE

# As in core.observability, which requires Powertools; the constructs do without it.
REJECTED: Final = "Rejected"
USAGE_DRIFT: Final = "UsageDrift"
DEFAULT_BUS = "default"
FIVE_MINUTES = Duration.minutes(5)
# Usage normally waits for the batching window, at most five minutes. After this time Amberflo has been unavailable for
# a while.
MAX_USAGE_AGE = Duration.minutes(15)
# SQS deletes a message 14 days after it was first queued; the time before it moved to the dead-letter queue counts too.
MAX_DEAD_EVENT_AGE = Duration.days(10)
# Firehose normally delivers after five minutes, and drops what it could not deliver for a day.
MAX_RECEIPT_AGE = Duration.hours(1)


@dataclass(frozen=True)
class AlarmSpec:
    """An alarm that starts when ``metric`` is at or above ``threshold`` for one period."""

    name: str
    metric: cloudwatch.IMetric
    threshold: float
    description: str


def build_alarm_specs(metering: AmberfloMetering, http_api: apigateway.IHttpApi) -> list[AlarmSpec]:
    """Build the alarms of a deployment."""
    return [
        _build_execution_alarm(metering),
        _build_rejected_alarm(metering),
        *_build_usage_alarms(metering.ingest),
        _build_ledger_alarm(metering.ledger),
        _build_drift_alarm(metering),
        *_build_tenant_alarms(metering.tenants.dead_letters),
        *(alarm for bus, rule in metering.rules for alarm in _build_rule_alarms(bus, rule)),
        *_build_api_alarms(metering, http_api),
    ]


def build_rejected_metric(metering: AmberfloMetering) -> cloudwatch.Metric:
    """Build the number of usages and tenant events that were rejected; Lambdas emit it."""
    return _build_own_metric(metering, REJECTED)


def _build_own_metric(metering: AmberfloMetering, name: str) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=name,
        dimensions_map={"deployment": metering.deployment_name},
        statistic="Sum",
    )


def _build_execution_alarm(metering: AmberfloMetering) -> AlarmSpec:
    return AlarmSpec(
        "ExecutionFailed",
        metering.machines.build_failed_metric(period=FIVE_MINUTES),
        1,
        "An execution of a workflow failed or timed out: Amberflo is unavailable, slow or rejects the API key, the "
        "secret cannot be read, steps are throttled, or a step has a bug. See which workflow and error it was with "
        "`metering executions list --status failed`.",
    )


def _build_rejected_alarm(metering: AmberfloMetering) -> AlarmSpec:
    return AlarmSpec(
        "Rejected",
        build_rejected_metric(metering).with_(period=FIVE_MINUTES),
        1,
        "Usage was rejected and is not billed until it is fixed, or a tenant event was rejected and a customer is "
        "missing or out of date. See the reason with `metering rejected list`, and fix the sender. Then send usage "
        "again with `metering rejected redrive`; have the sender repeat a tenant event, and delete it with `metering "
        "rejected drop`.",
    )


def _build_usage_alarms(ingest: IngestPath) -> list[AlarmSpec]:
    return [
        AlarmSpec(
            "UsageDead",
            ingest.dead_letters.metric_approximate_number_of_messages_visible(period=FIVE_MINUTES),
            1,
            "Usage events failed five times and are in the dead-letter queue, which keeps them for 14 days. Find the "
            "cause in the failed executions of ingest_usage, then redrive them with `metering dead redrive`.",
        ),
        _build_dead_for_long_alarm("UsageDeadForLong", ingest.dead_letters, "Its usage is then never billed."),
        AlarmSpec(
            "UsageLate",
            ingest.queue.metric_approximate_age_of_oldest_message(period=FIVE_MINUTES),
            MAX_USAGE_AGE.to_seconds(),
            "Usage has waited in the queue for 15 minutes: Amberflo is unavailable, or usage arrives faster than it is "
            "sent. No usage is lost. If Amberflo is available, raise ingestConcurrency.",
        ),
    ]


def _build_ledger_alarm(ledger: Ledger) -> AlarmSpec:
    return AlarmSpec(
        "LedgerLate",
        cloudwatch.Metric(
            namespace="AWS/Firehose",
            metric_name="DeliveryToS3.DataFreshness",
            dimensions_map={"DeliveryStreamName": ledger.stream_name},
            statistic="Maximum",
            period=FIVE_MINUTES,
        ),
        MAX_RECEIPT_AGE.to_seconds(),
        "Receipts of usage have not been in the bucket of the ledger for an hour: it was deleted, or a policy denies "
        "writing to it. Usage is counted, but Firehose drops its receipts after a day. The log of the stream has the "
        "error. Deploy the stack again, or correct the policy.",
    )


def _build_drift_alarm(metering: AmberfloMetering) -> AlarmSpec:
    return AlarmSpec(
        "UsageDrift",
        _build_own_metric(metering, USAGE_DRIFT).with_(period=FIVE_MINUTES),
        1,
        "Amberflo reports other usage than the ledger has, so that a tenant would be billed too little or too much. "
        "`metering reconcile` lists the hours. Usage that is missing at Amberflo is sent again with `metering replay`.",
    )


def _build_tenant_alarms(dead_letters: sqs.Queue) -> list[AlarmSpec]:
    return [
        AlarmSpec(
            "TenantDead",
            dead_letters.metric_approximate_number_of_messages_visible(period=FIVE_MINUTES),
            1,
            "A tenant's customer could not be updated. Its event is in a dead-letter queue and is kept for 14 days. "
            "Find the cause in the failed executions, then redrive the event with `metering dead redrive`.",
        ),
        _build_dead_for_long_alarm("TenantDeadForLong", dead_letters, "The tenant's customer is then never updated."),
    ]


def _build_dead_for_long_alarm(name: str, dead_letters: sqs.Queue, loss: str) -> AlarmSpec:
    return AlarmSpec(
        name,
        dead_letters.metric_approximate_age_of_oldest_message(period=FIVE_MINUTES),
        MAX_DEAD_EVENT_AGE.to_seconds(),
        f"An event has been in the dead-letter queue for ten days, and SQS deletes it after 14 days. {loss} Redrive it "
        "with `metering dead redrive`.",
    )


def _build_rule_alarms(bus: events.IEventBus, rule: events.Rule) -> list[AlarmSpec]:
    """Build the alarms of a rule. On the default bus, the metric has the dimension ``RuleName`` only.

    A bus whose name is not known before the deployment gets both alarms, of which one has no data.
    """
    # arn:aws:events:REGION:ACCOUNT:rule/BUS/RULE, without BUS/ for the default bus
    path = Fn.select(1, Fn.split(":rule/", rule.rule_arn))
    name = bus.event_bus_name
    if isinstance(bus, events.EventBus) or not Token.is_unresolved(name):
        is_default = name == DEFAULT_BUS
        # The name of a partner's bus has slashes.
        rule_name = Fn.select(0 if is_default else 1 + name.count("/"), Fn.split("/", path))
        return [_build_rule_alarm(rule, rule_name, None if is_default else name)]
    # The second part of RULE/RULE and of BUS/RULE/BUS/RULE
    rule_name = Fn.select(1, Fn.split("/", f"{path}/{path}"))
    return [_build_rule_alarm(rule, rule_name, name), _build_rule_alarm(rule, rule_name, None)]


def _build_rule_alarm(rule: events.Rule, rule_name: str, bus_name: str | None) -> AlarmSpec:
    bus = {"EventBusName": bus_name} if bus_name else {}
    return AlarmSpec(
        f"{rule.node.id}Lost" if bus_name else f"{rule.node.id}LostOnDefaultBus",
        cloudwatch.Metric(
            namespace="AWS/Events",
            metric_name="InvocationsFailedToBeSentToDlq",
            dimensions_map={**bus, "RuleName": rule_name},
            statistic="Sum",
            period=FIVE_MINUTES,
        ),
        1,
        "An event reached neither its target nor the dead-letter queue and is lost: a queue, or the permission to send "
        "to it, was removed. Deploy the stack again, then have senders repeat what they sent since the alarm started.",
    )


def _build_api_alarms(metering: AmberfloMetering, http_api: apigateway.IHttpApi) -> list[AlarmSpec]:
    functions = {"api": metering.api_function, "ingest_queue": metering.queue_function}
    return [
        AlarmSpec(
            "ApiServerErrors",
            http_api.metric_server_error(period=FIVE_MINUTES),
            5,
            "Callers get 5xx responses. See the failed executions. If there are none, see the log of the api function.",
        ),
        *(
            AlarmSpec(
                f"{to_pascal_case(name)}Errors",
                function.metric_errors(period=FIVE_MINUTES),
                1,
                f"The function {name} failed. Its log has the stack trace. Events from the queue are delivered again.",
            )
            for name, function in functions.items()
        ),
    ]
