"""Default quotas of AWS in us-east-1 and of Amberflo, and how much of each a run uses."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from amberflo_workflows.infra.settings import Settings
from tests.bench.costs import RunCounts
from tests.bench.estimates import estimate_times

_AWS: Final = "https://docs.aws.amazon.com"
_EVENTBRIDGE: Final = f"[EventBridge]({_AWS}/eventbridge/latest/userguide/eb-quota.html)"
_MAPPING: Final = f"[Lambda and SQS]({_AWS}/lambda/latest/dg/services-sqs-scaling.html)"
_PROVISIONED: Final = f"[Lambda and SQS]({_AWS}/lambda/latest/dg/services-sqs-parameters.html) (1)"
_MAX_POLLERS: Final = Settings().ingest_concurrency


@dataclass(frozen=True)
class Quota:
    """A quota: ``limit`` per second, or at a time. ``used`` computes how much of it the usages of a run take.

    ``description`` and ``source`` are Markdown for the document.
    """

    part: str
    description: str
    limit: float
    used: Callable[[RunCounts], float]
    source: str

    def max_usages_per_second(self, counts: RunCounts) -> float:
        """The rate of usages that uses up the quota."""
        return self.limit * counts.usages / self.used(counts)


QUOTAS: Final = (
    Quota(
        "Amberflo, each meter",
        "1 M usages per hour",
        1_000_000 / 3_600,
        lambda counts: counts.usages,
        "[Amberflo](https://docs.amberflo.io/metering-guardrails)",
    ),
    Quota(
        "pollers, messages",
        f"{_MAX_POLLERS} x 100 per second",
        _MAX_POLLERS * 100,
        lambda counts: counts.events,
        _PROVISIONED,
    ),
    Quota(
        "pollers, bytes",
        f"{_MAX_POLLERS} x 1 MB per second",
        _MAX_POLLERS * 1e6,
        lambda counts: counts.events * counts.event_bytes,
        _PROVISIONED,
    ),
    Quota(
        "concurrent batches",
        f"`ingestConcurrency` {Settings().ingest_concurrency}",
        Settings().ingest_concurrency,
        lambda counts: counts.batches * estimate_times(counts).batch,
        _MAPPING,
    ),
    Quota("PutEvents", "10,000 events per second (2)", 10_000, lambda counts: counts.events, _EVENTBRIDGE),
    Quota("rule to queue", "18,750 per second", 18_750, lambda counts: counts.events, _EVENTBRIDGE),
    Quota(
        "concurrent Lambdas",
        "1,000",
        1_000,
        lambda counts: estimate_times(counts).lambdas,
        f"[Lambda]({_AWS}/lambda/latest/dg/gettingstarted-limits.html)",
    ),
    Quota(
        "concurrent synchronous executions",
        "1,000 (3)",
        1_000,
        lambda counts: counts.executions * estimate_times(counts).execution,
        f"[Step Functions]({_AWS}/step-functions/latest/dg/service-quotas.html)",
    ),
    Quota(
        "messages in flight",
        "120,000",
        120_000,
        lambda counts: counts.events * estimate_times(counts).batch,
        f"[SQS]({_AWS}/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html)",
    ),
    Quota(
        "PutLogEvents",
        "5,000 per second (4)",
        5_000,
        lambda counts: counts.lambda_invocations + counts.executions,
        f"[CloudWatch Logs]({_AWS}/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html)",
    ),
)
