"""What AWS, in us-east-1, and Amberflo allow by default, and how much of it a usage needs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from amberflo_workflows.infra.settings import Settings
from tests.bench.costs import Counted
from tests.bench.reckoning import times

_AWS: Final = "https://docs.aws.amazon.com"
_EVENTBRIDGE: Final = f"[EventBridge]({_AWS}/eventbridge/latest/userguide/eb-quota.html)"
_MAPPING: Final = f"[Lambda and SQS]({_AWS}/lambda/latest/dg/services-sqs-scaling.html)"
_PROVISIONED: Final = f"[Lambda and SQS]({_AWS}/lambda/latest/dg/services-sqs-parameters.html) (1)"
_MOST_POLLERS: Final = Settings().ingest_concurrency


@dataclass(frozen=True)
class Quota:
    """``needed`` is what the counted usages need of ``amount``, for one second of them."""

    part: str
    told: str
    amount: float
    needed: Callable[[Counted], float]
    source: str

    def usages_a_second(self, counted: Counted) -> float:
        """At how many it is used up."""
        return self.amount * counted.usages / self.needed(counted)


QUOTAS: Final = (
    Quota(
        "Amberflo, of each meter",
        "1 M usages an hour",
        1_000_000 / 3_600,
        lambda counted: counted.usages,
        "[Amberflo](https://docs.amberflo.io/metering-guardrails)",
    ),
    Quota(
        "pollers, messages",
        f"{_MOST_POLLERS} of 100 a second",
        _MOST_POLLERS * 100,
        lambda counted: counted.events,
        _PROVISIONED,
    ),
    Quota(
        "pollers, bytes",
        f"{_MOST_POLLERS} of 1 MB a second",
        _MOST_POLLERS * 1e6,
        lambda counted: counted.events * counted.event_bytes,
        _PROVISIONED,
    ),
    Quota(
        "batches at a time",
        f"`ingestConcurrency` {Settings().ingest_concurrency}",
        Settings().ingest_concurrency,
        lambda counted: counted.batches * times(counted).batch,
        _MAPPING,
    ),
    Quota("PutEvents", "10,000 events a second (2)", 10_000, lambda counted: counted.events, _EVENTBRIDGE),
    Quota("rule to queue", "18,750 a second", 18_750, lambda counted: counted.events, _EVENTBRIDGE),
    Quota(
        "Lambdas at a time",
        "1,000",
        1_000,
        lambda counted: times(counted).lambdas,
        f"[Lambda]({_AWS}/lambda/latest/dg/gettingstarted-limits.html)",
    ),
    Quota(
        "synchronous executions at a time",
        "1,000 (3)",
        1_000,
        lambda counted: counted.executions * times(counted).execution,
        f"[Step Functions]({_AWS}/step-functions/latest/dg/service-quotas.html)",
    ),
    Quota(
        "messages in flight",
        "120,000",
        120_000,
        lambda counted: counted.events * times(counted).batch,
        f"[SQS]({_AWS}/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html)",
    ),
    Quota(
        "PutLogEvents",
        "5,000 a second (4)",
        5_000,
        lambda counted: counted.lambda_invocations + counted.executions,
        f"[CloudWatch Logs]({_AWS}/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html)",
    ),
)
