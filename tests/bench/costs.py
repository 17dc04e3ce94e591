"""Calls, executions and logs of a real run, counted per thousand usages, and their price per million usages."""

import json
import math
import time
from dataclasses import dataclass
from typing import Any

from amberflo_workflows.infra.settings import Settings
from amberflo_workflows.local.system import System
from tests.bench import prices
from tests.bench.events import build_batch, invoke
from tests.conftest import sandbox_of
from tests.system.workers import measure_cpu_seconds

BATCHES = 3
# Usages per batch and per event. A batch of Lambda has at most 1,000 messages and 6 MB.
SHAPES = ((1_000, 1), (21_000, 300))
# The emulator stores log lines after the functions have returned.
SETTLE_SECONDS = 2.0


@dataclass(frozen=True)
class RunCounts:
    """The counts of a run.

    ``cpu`` has the processor seconds of all processes of each function, ``execution_log_bytes`` what executions would
    log with the setting ``ingestLog=ALL_WITHOUT_DATA``; by default they log failures only.
    """

    usages: int
    events: int
    batches: int
    event_bytes: int
    amberflo_calls: int
    lambda_invocations: int
    lambda_gb_seconds: float
    executions: int
    execution_seconds: float
    transitions: int
    log_bytes: int
    execution_log_bytes: int
    secret_reads: int
    cpu: dict[str, float]
    receipts: int = 0
    receipt_bytes: int = 0


def measure(system: System) -> list[dict[str, Any]]:
    """The counts and prices for single events and for events of 300 usages."""
    return [
        _build_row(count_run(system, count, usages_per_event, BATCHES), usages_per_event)
        for count, usages_per_event in SHAPES
    ]


def count_run(system: System, count: int, usages_per_event: int, batch_count: int) -> RunCounts:
    """Run ``batch_count`` batches of ``count`` usages on warm workers, and count."""
    invoke(system, build_batch(count, usages_per_event))
    time.sleep(SETTLE_SECONDS)
    sandbox_of(system).clear_requests()
    logged, earlier_executions = _read_logs(system), set(_list_executions(system))
    earlier_receipts = _list_receipts(system)
    batches = [build_batch(count, usages_per_event) for _ in range(batch_count)]
    cpu_before = measure_cpu_seconds(system)
    for messages in batches:
        invoke(system, messages)
    cpu_after = measure_cpu_seconds(system)
    time.sleep(SETTLE_SECONDS)
    lines = [line for group, group_lines in _read_logs(system).items() for line in group_lines[len(logged[group]) :]]
    executions = [arn for arn in _list_executions(system) if arn not in earlier_executions]
    histories = [_read_history(system, arn) for arn in executions]
    receipts = [size for key, size in _list_receipts(system).items() if key not in earlier_receipts]
    bodies = [len(message["body"].encode()) for messages in batches for message in messages]
    return RunCounts(
        usages=count * batch_count,
        events=len(bodies),
        batches=batch_count,
        event_bytes=sum(bodies) // len(bodies),
        amberflo_calls=sandbox_of(system).requests()["total"],
        lambda_invocations=sum(line.startswith("START ") for line in lines),
        lambda_gb_seconds=sum(_billed_gb_seconds(line) for line in lines),
        executions=len(executions),
        execution_seconds=sum(_round_up(history[-1]["timestamp"] - history[0]["timestamp"]) for history in histories),
        transitions=sum(event["type"].endswith("StateEntered") for history in histories for event in history),
        log_bytes=sum(len(line.encode()) + prices.LOG_LINE_OVERHEAD_BYTES for line in lines),
        execution_log_bytes=sum(
            _log_line_bytes(arn, event) for arn, history in zip(executions, histories, strict=True) for event in history
        ),
        secret_reads=sum('"message":"secret read"' in line for line in lines),
        cpu={name: round(seconds - cpu_before[name], 2) for name, seconds in cpu_after.items() if name in cpu_before},
        receipts=len(receipts),
        receipt_bytes=sum(receipts),
    )


def _build_row(counts: RunCounts, usages_per_event: int) -> dict[str, Any]:
    def per_thousand(number: float) -> float:
        return round(number * 1000 / counts.usages, 2)

    dollars = {
        name: round(amount * prices.MILLION / counts.usages, 3) for name, amount in compute_dollars(counts).items()
    }
    bus = dollars.pop("event_bus")
    return {
        "usages_per_event": usages_per_event,
        "per_1000_usages": {
            "amberflo_calls": per_thousand(counts.amberflo_calls),
            "lambda_invocations": per_thousand(counts.lambda_invocations),
            "executions": per_thousand(counts.executions),
            "state_transitions": per_thousand(counts.transitions),
            "sqs_requests": per_thousand(_sqs_requests(counts)),
            "secrets_manager_requests": per_thousand(counts.secret_reads),
            "log_bytes": per_thousand(counts.log_bytes),
        },
        "dollars_per_million": {
            "event": bus,
            **dollars,
            "without the event": round(sum(dollars.values()), 3),
            "total": round(bus + sum(dollars.values()), 3),
        },
    }


def compute_dollars(counts: RunCounts) -> dict[str, float]:
    """The price of a run, by service."""
    return {
        "event_bus": counts.events * _billed_chunks(counts) * prices.EVENTBRIDGE_EVENT,
        "queue": _sqs_requests(counts) * prices.SQS_REQUEST,
        "workflows": counts.executions * prices.EXPRESS_REQUEST
        + counts.execution_seconds * prices.EXPRESS_MEMORY_GB * prices.EXPRESS_GB_SECOND,
        "lambdas": counts.lambda_invocations * prices.LAMBDA_REQUEST
        + counts.lambda_gb_seconds * prices.LAMBDA_GB_SECOND,
        "logs": counts.log_bytes / 1e9 * prices.LOGS_GB,
        "secrets": counts.secret_reads * prices.SECRETS_REQUEST,
        "ledger": _receipt_dollars(counts),
    }


def _receipt_dollars(counts: RunCounts) -> float:
    """The price of passing receipts on, and of storing them as long as the default says.

    Without the requests for objects, of which there are a few in an hour.
    """
    if not counts.receipts:
        return 0.0
    steps = math.ceil(counts.receipt_bytes / counts.receipts / prices.FIREHOSE_RECORD_BYTES)
    passed_gigabytes = counts.receipts * steps * prices.FIREHOSE_RECORD_BYTES / 1e9
    months = Settings().ledger_retention_days / 30
    return passed_gigabytes * prices.FIREHOSE_GB + counts.receipt_bytes / 1e9 * months * prices.S3_GB_MONTH


def _billed_chunks(counts: RunCounts) -> int:
    return math.ceil(counts.event_bytes / prices.BILLED_CHUNK_BYTES)


def _sqs_requests(counts: RunCounts) -> float:
    """Estimated, because the run uses no queue.

    Messages are sent one by one, received and deleted up to ten at a time, and each 64 kB counts as a request. A batch
    of one message takes three requests.
    """
    per_batch = counts.events / counts.batches
    requests = math.ceil(per_batch / prices.SQS_MESSAGES_PER_REQUEST)
    received = max(requests, per_batch * counts.event_bytes / prices.BILLED_CHUNK_BYTES)
    return counts.events * _billed_chunks(counts) + counts.batches * (received + requests)


def _read_logs(system: System) -> dict[str, list[str]]:
    """The lines of each log group in order."""
    client = system.client("logs")
    lines = {}
    for group in client.describe_log_groups()["logGroups"]:
        pages = client.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
        lines[group["logGroupName"]] = [event["message"] for page in pages for event in page["events"]]
    return lines


def _list_executions(system: System) -> list[str]:
    pages = system.client("stepfunctions").get_paginator("list_executions")
    arn = system.state_machine_arns["ingest_usage"]
    return [
        execution["executionArn"] for page in pages.paginate(stateMachineArn=arn) for execution in page["executions"]
    ]


def _list_receipts(system: System) -> dict[str, int]:
    """The size of each receipt, which the emulator stores as an object of its own."""
    pages = system.client("s3").get_paginator("list_objects_v2").paginate(Bucket=system.outputs["LedgerBucketName"])
    return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", [])}


def _read_history(system: System, arn: str) -> list[Any]:
    events: list[Any] = system.client("stepfunctions").get_execution_history(executionArn=arn, maxResults=1000)[
        "events"
    ]
    return [{**event, "timestamp": event["timestamp"].timestamp()} for event in events]


def _log_line_bytes(arn: str, event: dict[str, Any]) -> int:
    """The size of an event in an execution log of level ALL without data, in the form that AWS documents."""
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


def _billed_gb_seconds(line: str) -> float:
    if not line.startswith("REPORT "):
        return 0.0
    milliseconds = float(line.split("Billed Duration: ")[1].split(" ms", maxsplit=1)[0])
    return milliseconds / 1000 * int(line.split("Memory Size: ")[1].split(" MB", maxsplit=1)[0]) / 1024


def _round_up(seconds: float) -> float:
    return math.ceil(seconds / prices.EXPRESS_MEMORY_STEP_SECONDS) * prices.EXPRESS_MEMORY_STEP_SECONDS
