"""Estimates of times and costs on AWS, from the counts of a run on the emulator and the assumptions below."""

import math
from dataclasses import dataclass, replace
from typing import Final

from amberflo_workflows.entrypoints.ingest_queue import PARALLEL_CHUNKS
from amberflo_workflows.infra.operations import OPERATIONS
from tests.bench import prices
from tests.bench.costs import RunCounts, compute_dollars

SECONDS_PER_MONTH: Final = 30 * 86_400
# The response time of Amberflo, and the time that Step Functions itself adds to an execution.
AMBERFLO_SECONDS: Final = 0.1
WORKFLOW_SECONDS: Final = 0.05
# The share of a core: Lambda gives a full core to 1,769 MB. It is assumed to be as fast as one of the machine that
# counted.
CPU_SHARE: Final = prices.LAMBDA_MEMORY_GB * 1024 / 1769
# An event source mapping starts with five pollers, each of which collects a batch for a second.
POLLERS: Final = 5
WINDOW_SECONDS: Final = 1.0
# Events in a full batch, by usages per event. A batch has at most 1,000 messages or 6 MB, which are 70 events of 300.
FULL_BATCHES: Final = {1: 1_000, 300: 70}

# Two for each workflow. tests/infra counts them in the template.
ALARMS: Final = 2 * len(OPERATIONS) + 13
# Three for each of the ten steps that call Amberflo, two more for send_usages, and one for rejected tenants.
METRICS: Final = 33
# Five pollers poll an empty queue every 20 s, and five processes read the secret every five minutes.
IDLE: Final = POLLERS * SECONDS_PER_MONTH * (prices.SQS_REQUEST / 20 + prices.SECRETS_REQUEST / 300)
FIXED: Final = ALARMS * prices.ALARM + prices.DASHBOARD + METRICS * prices.METRIC + prices.SECRET + IDLE

# One Lambda invocation for each event, as in the npm package: 128 MB on x86. Its time, with a TLS connection for each
# call, and the bytes that it logs, with the complete event, are guesses.
PER_EVENT_SECONDS: Final = 0.2
PER_EVENT_GB: Final = 128 / 1024
PER_EVENT_LOG_BYTES: Final = 2_500


@dataclass(frozen=True)
class Times:
    """Seconds of an execution, of a batch, and of all Lambda invocations in a run."""

    execution: float
    batch: float
    lambdas: float


def estimate_times(counts: RunCounts) -> Times:
    """Processor time at Lambda's share of a core, plus the time that is spent waiting."""
    resolve = counts.cpu["tasks.resolve_api_key"] / counts.executions / CPU_SHARE
    send = counts.cpu["tasks.send_usages"] / counts.executions / CPU_SHARE + AMBERFLO_SECONDS
    execution = WORKFLOW_SECONDS + resolve + send
    rounds = math.ceil(counts.executions / counts.batches / PARALLEL_CHUNKS)
    batch = counts.cpu["entrypoints.ingest_queue"] / counts.batches / CPU_SHARE + rounds * execution
    return Times(execution, batch, counts.executions * (resolve + send) + counts.batches * batch)


def compute_events_per_batch(usages_per_month: int, usages_per_event: int) -> int:
    """The number of events that a poller collects in a second."""
    per_second = usages_per_month / usages_per_event / SECONDS_PER_MONTH
    return min(FULL_BATCHES[usages_per_event], max(1, round(per_second * WINDOW_SECONDS / POLLERS)))


def estimate_monthly_dollars(counts: RunCounts, usages_per_month: int) -> dict[str, float]:
    """Dollars per month of the deployed stack, by service."""
    expected = estimate_times(counts)
    step = prices.EXPRESS_MEMORY_STEP_SECONDS
    billed = replace(
        counts,
        lambda_seconds=expected.lambdas,
        execution_seconds=counts.executions * math.ceil(expected.execution / step) * step,
        secret_reads=0,
    )
    share = usages_per_month / counts.usages
    dollars = {name: amount * share for name, amount in compute_dollars(billed).items()}
    del dollars["secrets"]
    return {**dollars, "traces": _trace_dollars(counts.batches * share, counts.executions * share), "fixed": FIXED}


def estimate_per_event_dollars(usages_per_month: int) -> dict[str, float]:
    """Dollars per month of one Lambda invocation and one call for each event, by service."""
    seconds = usages_per_month * PER_EVENT_SECONDS
    return {
        "event_bus": usages_per_month * prices.EVENTBRIDGE_EVENT,
        "queue": 0.0,
        "workflows": 0.0,
        "lambdas": usages_per_month * prices.LAMBDA_REQUEST + seconds * PER_EVENT_GB * prices.LAMBDA_X86_GB_SECOND,
        "logs": _log_dollars(usages_per_month * PER_EVENT_LOG_BYTES / 1e9),
        "traces": _trace_dollars(usages_per_month),
        "fixed": prices.SECRET,
    }


def _trace_dollars(*calls_per_month: float) -> float:
    """X-Ray records one call of each kind every second, and a twentieth of the others."""
    return sum(
        (min(calls, SECONDS_PER_MONTH) + 0.05 * max(calls - SECONDS_PER_MONTH, 0)) * prices.TRACE
        for calls in calls_per_month
    )


def _log_dollars(gigabytes: float) -> float:
    dollars, lower = 0.0, 0.0
    for upper, price in prices.LOGS_TIERS:
        dollars += max(min(gigabytes, upper) - lower, 0) * price
        lower = upper
    return dollars
