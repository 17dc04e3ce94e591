"""Estimates of times and costs on AWS, from the counts of a run on the emulator and the assumptions below."""

import math
from dataclasses import dataclass, replace
from typing import Final

from amberflo_workflows.entrypoints.ingest_queue import PARALLEL_CHUNKS
from amberflo_workflows.infra.ledger import BUFFER_SECONDS
from tests.bench import prices
from tests.bench.costs import RunCounts, compute_dollars
from tests.bench.designs import AFTER, SECONDS_PER_MONTH, Design

# The response time of Amberflo, and the time that Step Functions itself adds to an execution.
AMBERFLO_SECONDS: Final = 0.1
WORKFLOW_SECONDS: Final = 0.05
# The response time of Firehose.
FIREHOSE_SECONDS: Final = 0.02
# Lambda gives a full core to this memory, and a share of one to less. It is assumed to be as fast as one of the machine
# that counted.
MEMORY_OF_A_CORE_MB: Final = 1_769
# One Lambda invocation for each event, as in the npm package: 128 MB on x86. Its time, with a TLS connection for each
# call, and the bytes that it logs, with the complete event, are guesses.
PER_EVENT_SECONDS: Final = 0.2
PER_EVENT_GB: Final = 128 / 1024
PER_EVENT_LOG_BYTES: Final = 2_500


@dataclass(frozen=True)
class Times:
    """Seconds of an execution, of a batch, and of all Lambda invocations in a run; and their memory times seconds."""

    execution: float
    batch: float
    lambdas: float
    lambda_gb_seconds: float


def estimate_times(counts: RunCounts, design: Design = AFTER) -> Times:
    """Processor time at each function's share of a core, plus the time that is spent waiting."""
    memory = {
        name: design.get_memory_mb(name) for name in ("ResolveApiKey", "SendUsages", "WriteReceipt", "IngestQueue")
    }
    share = {name: megabytes / MEMORY_OF_A_CORE_MB for name, megabytes in memory.items()}
    resolve = counts.cpu["tasks.resolve_api_key"] / counts.executions / share["ResolveApiKey"]
    send = counts.cpu["tasks.send_usages"] / counts.executions / share["SendUsages"] + AMBERFLO_SECONDS
    write = 0.0
    if counts.receipts:
        write = counts.cpu["tasks.write_receipt"] / counts.executions / share["WriteReceipt"] + FIREHOSE_SECONDS
    execution = WORKFLOW_SECONDS + resolve + send + write
    rounds = math.ceil(counts.executions / counts.batches / PARALLEL_CHUNKS)
    batch = counts.cpu["entrypoints.ingest_queue"] / counts.batches / share["IngestQueue"] + rounds * execution
    seconds = {
        "ResolveApiKey": counts.executions * resolve,
        "SendUsages": counts.executions * send,
        "WriteReceipt": counts.receipts * write,
        "IngestQueue": counts.batches * batch,
    }
    gb_seconds = sum(seconds[name] * memory[name] / 1024 for name in seconds)
    return Times(execution, batch, sum(seconds.values()), gb_seconds)


def estimate_monthly_dollars(counts: RunCounts, usages_per_month: int, design: Design = AFTER) -> dict[str, float]:
    """Dollars per month of the deployed stack, by service."""
    expected = estimate_times(counts, design)
    step = prices.EXPRESS_MEMORY_STEP_SECONDS
    billed = replace(
        counts,
        lambda_gb_seconds=expected.lambda_gb_seconds,
        execution_seconds=counts.executions * math.ceil(expected.execution / step) * step,
        log_bytes=counts.log_bytes + (counts.execution_log_bytes if design.logs_executions else 0),
        secret_reads=0,
    )
    share = usages_per_month / counts.usages
    dollars = {name: amount * share for name, amount in compute_dollars(billed).items()}
    del dollars["secrets"]
    dollars["ledger"] += min(counts.receipts * share, SECONDS_PER_MONTH / BUFFER_SECONDS) * prices.S3_PUT
    calls = (counts.batches * share, counts.executions * share) if design.traces_ingest else ()
    return {**dollars, "traces": _trace_dollars(*calls), "fixed": sum(design.list_fixed_dollars().values())}


def estimate_per_event_dollars(usages_per_month: int) -> dict[str, float]:
    """Dollars per month of one Lambda invocation and one call for each event, by service."""
    seconds = usages_per_month * PER_EVENT_SECONDS
    return {
        "event_bus": usages_per_month * prices.EVENTBRIDGE_EVENT,
        "queue": 0.0,
        "workflows": 0.0,
        "lambdas": usages_per_month * prices.LAMBDA_REQUEST + seconds * PER_EVENT_GB * prices.LAMBDA_X86_GB_SECOND,
        "logs": _log_dollars(usages_per_month * PER_EVENT_LOG_BYTES / 1e9),
        "ledger": 0.0,
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
