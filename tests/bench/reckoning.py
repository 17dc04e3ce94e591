"""From what was counted on the emulator to times and dollars on AWS, by the assumptions here."""

import math
from dataclasses import dataclass, replace
from typing import Final

from amberflo_workflows.entrypoints.ingest_queue import PARALLEL_CHUNKS
from amberflo_workflows.infra.operations import OPERATIONS
from tests.bench import prices
from tests.bench.costs import Counted, dollars_of

SECONDS_A_MONTH: Final = 30 * 86_400
# Amberflo's answer, and what Step Functions itself needs for an execution.
AMBERFLO_SECONDS: Final = 0.1
WORKFLOW_SECONDS: Final = 0.05
# Of a core, which Lambda gives to 1,769 MB; one of theirs is taken to be one of the machine that counted.
CPU_SHARE: Final = prices.LAMBDA_MEMORY_GB * 1024 / 1769
# The mapping begins with five pollers, each of which waits a second for its batch to fill.
POLLERS: Final = 5
WINDOW_SECONDS: Final = 1.0
# Lambda's batches hold 1,000 messages or 6 MB at most, which are 70 events of 300 usages.
FULL: Final = {1: 1_000, 300: 70}

# Of each workflow two; tests/infra counts them in the template.
ALARMS: Final = 2 * len(OPERATIONS) + 13
# Three of each of the ten steps that call Amberflo, two more of send_usages, and one of refused tenants.
METRICS: Final = 33
# Five pollers ask an empty queue every 20 s, five processes look for a new key every five minutes.
IDLE: Final = POLLERS * SECONDS_A_MONTH * (prices.SQS_REQUEST / 20 + prices.SECRETS_REQUEST / 300)
FIXED: Final = ALARMS * prices.ALARM + prices.DASHBOARD + METRICS * prices.METRIC + prices.SECRET + IDLE

# A Lambda for each event, as the npm package has it: 128 MB on x86. Its time, with a TLS connection for each call, and
# its logs, with each event whole, are guesses.
ALONE_SECONDS: Final = 0.2
ALONE_GB: Final = 128 / 1024
ALONE_LOG_BYTES: Final = 2_500


@dataclass(frozen=True)
class Times:
    """Seconds of an execution and of a batch, and of all Lambdas in a run."""

    execution: float
    batch: float
    lambdas: float


def times(counted: Counted) -> Times:
    """How long it would take: the processor's time at Lambda's share of a core, and what is waited for."""
    resolve = counted.cpu["tasks.resolve_api_key"] / counted.executions / CPU_SHARE
    send = counted.cpu["tasks.send_usages"] / counted.executions / CPU_SHARE + AMBERFLO_SECONDS
    execution = WORKFLOW_SECONDS + resolve + send
    turns = math.ceil(counted.executions / counted.batches / PARALLEL_CHUNKS)
    batch = counted.cpu["entrypoints.ingest_queue"] / counted.batches / CPU_SHARE + turns * execution
    return Times(execution, batch, counted.executions * (resolve + send) + counted.batches * batch)


def events_a_batch(usages_a_month: int, usages_an_event: int) -> int:
    """How far a batch fills before its second is over."""
    a_second = usages_a_month / usages_an_event / SECONDS_A_MONTH
    return min(FULL[usages_an_event], max(1, round(a_second * WINDOW_SECONDS / POLLERS)))


def ours(counted: Counted, usages_a_month: int) -> dict[str, float]:
    """Dollars a month, by what is paid for."""
    expected = times(counted)
    step = prices.EXPRESS_MEMORY_STEP_SECONDS
    billed = replace(
        counted,
        lambda_seconds=expected.lambdas,
        execution_seconds=counted.executions * math.ceil(expected.execution / step) * step,
        secret_reads=0,
    )
    share = usages_a_month / counted.usages
    dollars = {name: amount * share for name, amount in dollars_of(billed).items()}
    del dollars["secrets"]
    return {**dollars, "traces": _traces(counted.batches * share, counted.executions * share), "fixed": FIXED}


def alone(usages_a_month: int) -> dict[str, float]:
    """The same for a Lambda and a call for each event."""
    seconds = usages_a_month * ALONE_SECONDS
    return {
        "event_bus": usages_a_month * prices.EVENTBRIDGE_EVENT,
        "queue": 0.0,
        "workflows": 0.0,
        "lambdas": usages_a_month * prices.LAMBDA_REQUEST + seconds * ALONE_GB * prices.LAMBDA_X86_GB_SECOND,
        "logs": _logs(usages_a_month * ALONE_LOG_BYTES / 1e9),
        "traces": _traces(usages_a_month),
        "fixed": prices.SECRET,
    }


def _traces(*calls_a_month: float) -> float:
    """X-Ray takes one of each kind every second, and a twentieth of the others."""
    return sum(
        (min(calls, SECONDS_A_MONTH) + 0.05 * max(calls - SECONDS_A_MONTH, 0)) * prices.TRACE for calls in calls_a_month
    )


def _logs(gigabytes: float) -> float:
    dollars, below = 0.0, 0.0
    for upto, price in prices.LOGS_TIERS:
        dollars += max(min(gigabytes, upto) - below, 0) * price
        below = upto
    return dollars
