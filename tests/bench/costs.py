"""What a thousand usages take, counted in a real run, and what a million cost at AWS's list prices."""

import json
import math
import time
from dataclasses import dataclass
from typing import Any

from amberflo_workflows.local.system import System
from tests.bench import prices
from tests.bench.events import batch, invoke
from tests.conftest import sandbox_of
from tests.system.workers import cpu_seconds

BATCHES = 3
# Lambda hands out at most 1,000 messages and 6 MB at a time.
SHAPES = ((1_000, 1), (21_000, 300))
# Until the emulator has put away what the Lambdas wrote.
SETTLE_SECONDS = 2.0


@dataclass(frozen=True)
class Counted:
    """What a run took. The seconds of ``cpu`` are of the processes of each function together."""

    usages: int
    events: int
    batches: int
    event_bytes: int
    amberflo_calls: int
    lambda_invocations: int
    lambda_seconds: float
    executions: int
    execution_seconds: float
    transitions: int
    log_bytes: int
    execution_log_bytes: int
    secret_reads: int
    cpu: dict[str, float]


def measure(system: System) -> list[dict[str, Any]]:
    """For single events and for events of 300 usages."""
    return [_row(taken(system, count, an_event, BATCHES), an_event) for count, an_event in SHAPES]


def taken(system: System, count: int, an_event: int, how_many: int) -> Counted:
    """What so many batches of ``count`` usages take, once the workers are there."""
    invoke(system, batch(count, an_event))
    time.sleep(SETTLE_SECONDS)
    sandbox_of(system).clear_requests()
    logged, executed = _logs(system), set(_executions(system))
    batches = [batch(count, an_event) for _ in range(how_many)]
    worked = cpu_seconds(system)
    for messages in batches:
        invoke(system, messages)
    working = cpu_seconds(system)
    time.sleep(SETTLE_SECONDS)
    lines = [line for group, found in _logs(system).items() for line in found[len(logged[group]) :]]
    executions = [arn for arn in _executions(system) if arn not in executed]
    histories = [_history(system, arn) for arn in executions]
    bodies = [len(message["body"].encode()) for messages in batches for message in messages]
    return Counted(
        usages=count * how_many,
        events=len(bodies),
        batches=how_many,
        event_bytes=sum(bodies) // len(bodies),
        amberflo_calls=sandbox_of(system).requests()["total"],
        lambda_invocations=sum(line.startswith("START ") for line in lines),
        lambda_seconds=sum(_billed_seconds(line) for line in lines),
        executions=len(executions),
        execution_seconds=sum(_rounded_up(history[-1]["timestamp"] - history[0]["timestamp"]) for history in histories),
        transitions=sum(event["type"].endswith("StateEntered") for history in histories for event in history),
        log_bytes=sum(len(line.encode()) + prices.LOG_LINE_OVERHEAD_BYTES for line in lines),
        execution_log_bytes=sum(
            _log_line_bytes(arn, event) for arn, h in zip(executions, histories, strict=True) for event in h
        ),
        secret_reads=sum('"message":"secret read"' in line for line in lines),
        cpu={name: round(seconds - worked.get(name, 0), 2) for name, seconds in working.items() if name in worked},
    )


def _row(counted: Counted, an_event: int) -> dict[str, Any]:
    def a_thousand(number: float) -> float:
        return round(number * 1000 / counted.usages, 2)

    dollars = {name: round(amount * prices.MILLION / counted.usages, 3) for name, amount in dollars_of(counted).items()}
    bus = dollars.pop("event_bus")
    return {
        "usages_an_event": an_event,
        "per_1000_usages": {
            "amberflo_calls": a_thousand(counted.amberflo_calls),
            "lambda_invocations": a_thousand(counted.lambda_invocations),
            "executions": a_thousand(counted.executions),
            "state_transitions": a_thousand(counted.transitions),
            "sqs_requests": a_thousand(_sqs_requests(counted)),
            "secrets_manager_requests": a_thousand(counted.secret_reads),
            "log_bytes": a_thousand(counted.log_bytes + counted.execution_log_bytes),
        },
        "dollars_per_million": {
            "the event itself": bus,
            **dollars,
            "beyond the event": round(sum(dollars.values()), 3),
            "all": round(bus + sum(dollars.values()), 3),
        },
    }


def dollars_of(counted: Counted) -> dict[str, float]:
    """What it costs, by what is paid for."""
    return {
        "event_bus": counted.events * _billed_chunks(counted) * prices.EVENTBRIDGE_EVENT,
        "queue": _sqs_requests(counted) * prices.SQS_REQUEST,
        "workflows": counted.executions * prices.EXPRESS_REQUEST
        + counted.execution_seconds * prices.EXPRESS_MEMORY_GB * prices.EXPRESS_GB_SECOND,
        "lambdas": counted.lambda_invocations * prices.LAMBDA_REQUEST
        + counted.lambda_seconds * prices.LAMBDA_MEMORY_GB * prices.LAMBDA_GB_SECOND,
        "logs": (counted.log_bytes + counted.execution_log_bytes) / 1e9 * prices.LOGS_GB,
        "secrets": counted.secret_reads * prices.SECRETS_REQUEST,
    }


def _billed_chunks(counted: Counted) -> int:
    return math.ceil(counted.event_bytes / prices.BILLED_CHUNK_BYTES)


def _sqs_requests(counted: Counted) -> float:
    """Reckoned, since no queue takes part: sent one by one, taken and deleted ten at a time, all per 64 kB."""
    chunks = _billed_chunks(counted)
    if chunks > 1:
        return counted.events * (2 * chunks + 1 / prices.SQS_MESSAGES_A_REQUEST)
    taken = max(1 / prices.SQS_MESSAGES_A_REQUEST, counted.event_bytes / prices.BILLED_CHUNK_BYTES)
    return counted.events * (1 + taken + 1 / prices.SQS_MESSAGES_A_REQUEST)


def _logs(system: System) -> dict[str, list[str]]:
    """The lines of each log group, in the order in which they came."""
    client = system.client("logs")
    found = {}
    for group in client.describe_log_groups()["logGroups"]:
        pages = client.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
        found[group["logGroupName"]] = [event["message"] for page in pages for event in page["events"]]
    return found


def _executions(system: System) -> list[str]:
    pages = system.client("stepfunctions").get_paginator("list_executions")
    arn = system.state_machine_arns["ingest_usage"]
    return [one["executionArn"] for page in pages.paginate(stateMachineArn=arn) for one in page["executions"]]


def _history(system: System, arn: str) -> list[Any]:
    events: list[Any] = system.client("stepfunctions").get_execution_history(executionArn=arn, maxResults=1000)[
        "events"
    ]
    return [{**event, "timestamp": event["timestamp"].timestamp()} for event in events]


def _log_line_bytes(arn: str, event: dict[str, Any]) -> int:
    """An event as the execution log has it at level ALL without data, in the form that AWS documents."""
    details: dict[str, Any] = next((value for name, value in event.items() if name.endswith("Details")), {})
    line = {
        "id": str(event["id"]),
        "type": event["type"],
        "details": {k: v for k, v in details.items() if k not in {"input", "output", "parameters"}},
        "previous_event_id": str(event["id"] - 1),
        "event_timestamp": str(int(event["timestamp"] * 1000)),
        "execution_arn": arn,
    }
    return len(json.dumps(line).encode()) + prices.LOG_LINE_OVERHEAD_BYTES


def _billed_seconds(line: str) -> float:
    if not line.startswith("REPORT "):
        return 0.0
    return float(line.split("Billed Duration: ")[1].split(" ms", maxsplit=1)[0]) / 1000


def _rounded_up(seconds: float) -> float:
    return math.ceil(seconds / prices.EXPRESS_MEMORY_STEP_SECONDS) * prices.EXPRESS_MEMORY_STEP_SECONDS
