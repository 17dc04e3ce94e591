"""Default quotas of AWS in us-east-1 and of Amberflo, and how much of each a run uses."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from amberflo_workflows.infra.settings import BATCHES_PER_POLLER, DEFAULT_CONCURRENCY
from tests.bench.costs import RunCounts
from tests.bench.estimates import estimate_times

_AWS: Final = "https://docs.aws.amazon.com"
_EVENTBRIDGE: Final = f"[EventBridge]({_AWS}/eventbridge/latest/userguide/eb-quota.html)"
_FIREHOSE: Final = f"[Firehose]({_AWS}/firehose/latest/dev/limits.html)"
_MAPPING: Final = f"[Lambda and SQS]({_AWS}/lambda/latest/dg/services-sqs-scaling.html)"


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


def build_poller_quotas(pollers: int, note: str = "") -> tuple[Quota, Quota]:
    """Build the quotas of provisioned pollers: each makes 10 requests for 10 messages a second, and reads 1 MB."""
    return (
        Quota(
            "pollers, messages",
            f"{pollers} x 100 per second",
            pollers * 100,
            lambda counts: counts.events,
            _MAPPING + note,
        ),
        Quota(
            "pollers, bytes",
            f"{pollers} x 1 MB per second",
            pollers * 1e6,
            lambda counts: counts.events * counts.event_bytes,
            _MAPPING + note,
        ),
    )


def estimate_with_pollers(pollers: int, counts: RunCounts) -> tuple[float, float]:
    """Estimate the usages per second of provisioned pollers, and the concurrent Lambdas at that rate."""
    batches = pollers * BATCHES_PER_POLLER * counts.usages / (counts.batches * estimate_times(counts).batch)
    rate = min(batches, *(quota.max_usages_per_second(counts) for quota in build_poller_quotas(pollers)))
    return rate, rate * estimate_times(counts).lambdas / counts.usages


QUOTAS: Final = (
    *build_poller_quotas(DEFAULT_CONCURRENCY, " (1)"),
    Quota(
        "Amberflo, each meter",
        "1 M usages per hour",
        1_000_000 / 3_600,
        lambda counts: counts.usages,
        "[Amberflo](https://docs.amberflo.io/metering-guardrails)",
    ),
    Quota(
        "concurrent batches",
        f"`ingestConcurrency` {DEFAULT_CONCURRENCY}",
        DEFAULT_CONCURRENCY,
        lambda counts: counts.batches * estimate_times(counts).batch,
        _MAPPING,
    ),
    Quota("PutEvents", "10,000 events per second (2)", 10_000, lambda counts: counts.events, _EVENTBRIDGE),
    Quota("rule to queue", "18,750 per second", 18_750, lambda counts: counts.events, _EVENTBRIDGE),
    Quota(
        "receipts, bytes",
        "5 MiB per second (5)",
        5 * 1024 * 1024,
        lambda counts: counts.receipt_bytes,
        _FIREHOSE,
    ),
    Quota("receipts, requests", "2,000 per second (5)", 2_000, lambda counts: counts.receipts, _FIREHOSE),
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
