"""Many usages and concurrent callers at the same time. ``make soak`` runs the long form."""

import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.emit import UsageEmitter
from amberflo_workflows.local.demo.run import batched
from amberflo_workflows.local.system import System, running_system
from amberflo_workflows.operate.usage_files import Totals, Usage, compute_totals
from tests.conftest import sandbox_of
from tests.entrypoints.calls import Api
from tests.polling import wait_until
from tests.runbook.sending import count_messages
from tests.system.callers import Call, CallResult, compute_percentiles, run_calls
from tests.system.watch import ProcessWatch, watch_processes
from tests.system.workers import measure_cpu_seconds
from tests.workflows.payloads import check_all_executions

pytestmark = [pytest.mark.system, pytest.mark.long]

SOAK = bool(os.environ.get("METERING_SOAK"))
COUNT, CALLS, IDLE_CALLS, CONCURRENCY = (200_000, 1_000, 200, 16) if SOAK else (4_000, 100, 40, 6)
# A limit for a system that hangs. A fast machine needs a tenth of it.
TIMEOUT_SECONDS, SAMPLE_INTERVAL_SECONDS = (3_600, 2.0) if SOAK else (600, 0.5)
METERS = ("api-calls", "storage-bytes", "model-tokens")
TENANTS = 41
# Instead of half an hour, and longer than a chunk with several faults takes.
VISIBILITY_TIMEOUT_SECONDS = 60
# They affect a tenth of the ingest calls and a hundredth of the others, so that callers mostly do not wait for retries.
FAULTS: list[dict[str, Any]] = [
    {"kind": "status", "status": 429, "path": "/ingest", "share": 0.025, "seed": 1},
    {"kind": "status", "status": 503, "path": "/ingest", "share": 0.025, "seed": 2},
    {"kind": "accept_then_drop", "path": "/ingest", "share": 0.025, "seed": 3},
    {"kind": "hang", "seconds": 3, "path": "/ingest", "share": 0.025, "seed": 4},
    {"kind": "status", "status": 503, "share": 0.01, "seed": 5},
]
# The status codes that docs/api.md names for an Amberflo that fails, throttles or is slow in every attempt.
RETRYABLE = {502, 503, 504}
# The largest growth of a worker: connection pools fill up, and a leak for each usage would be far larger. In the short
# form the first third is hardly more than the start.
MAX_GROWTH = 1.15 if SOAK else 1.5


def _build_usage(number: int, now_in_millis: int, prefix: str) -> Usage:
    return {
        "tenantId": f"tenant-{number % TENANTS}",
        "meterApiName": METERS[number % len(METERS)],
        "meterValue": number % 97 + 1,
        "meterTimeInMillis": now_in_millis - number,
        "uniqueId": f"{prefix}-{number}",
    }


def _send(system: System, usages: Sequence[Usage]) -> None:
    """Send a tenth of the usages as single events, some of them twice, and the others through ``UsageEmitter``."""
    events, bus = system.client("events"), system.outputs["EventBusName"]
    with UsageEmitter(bus, source="my.app", client=events, max_wait=TIMEOUT_SECONDS) as emitter:
        for part in batched(usages, 1_000):
            for usage in part[100:]:
                emitter.record(
                    usage["tenantId"],
                    usage["meterApiName"],
                    usage["meterValue"],
                    time=datetime.fromtimestamp(usage["meterTimeInMillis"] / 1000, UTC),
                    unique_id=usage["uniqueId"],
                )
            for singles in batched([*part[:100], *part[:100:20]], 10):
                entries = [
                    {
                        "EventBusName": bus,
                        "Source": "my.app",
                        "DetailType": "ingestUsage",
                        "Detail": json.dumps(usage),
                    }
                    for usage in singles
                ]
                assert events.put_events(Entries=entries)["FailedEntryCount"] == 0


def _build_calls(count: int, meter_ids: Sequence[str], usages: Sequence[Usage]) -> Iterator[Call]:
    """Calls of the four kinds in turn; the ingest calls report ``usages``."""
    for number in range(count):
        meter = meter_ids[number % len(meter_ids)]
        yield (
            Call("list", "GET", "meters"),
            Call("get", "GET", f"meters/{meter}"),
            Call("fetch usage", "GET", f"usage/{meter}?groupBy=customerId"),
            Call("ingest", "POST", "ingest", usages[number // 4]),
        )[number % 4]


def _retry_ingest_calls(api: Api, results: Sequence[CallResult]) -> None:
    """Send the failed ingest calls again, as callers may: each usage has a unique id."""
    failed = [result.call for result in results if result.call.kind == "ingest" and result.status != 200]
    for _ in range(5):
        failed = [result.call for result in run_calls(api, CONCURRENCY, failed) if result.status != 200]


def _fetch_totals(system: System) -> Totals:
    return {(meter, tenant): value for meter in METERS for tenant, value in sandbox_of(system).totals(meter).items()}


def _render_calls(idle: Sequence[CallResult], busy: Sequence[CallResult]) -> str:
    lines = [f"{CONCURRENCY} concurrent callers, seconds: p50 and p95 without load, under load, ratios"]
    for kind in ("list", "get", "fetch usage", "ingest", ""):
        before, under = (
            compute_percentiles([result for result in results if kind in result.call.kind]) for results in (idle, busy)
        )
        ratios = [loaded / unloaded for unloaded, loaded in zip(before, under, strict=True)]
        figures = "  ".join(f"{p50:6.2f} {p95:6.2f}" for p50, p95 in (before, under, ratios))
        lines.append(f"{kind or 'all':>12} {figures}")
    return "\n".join(lines)


def _render_cpu(before: dict[str, float], after: dict[str, float]) -> str:
    used = {name: seconds - before.get(name, 0) for name, seconds in after.items()}
    largest = sorted(used.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {seconds:.1f}" for name, seconds in largest if seconds >= 0.1)


def _render_memory(watch: ProcessWatch) -> str:
    lines = ["memory of the largest process, MB: in the first third, in the last third"]
    for name, (first, last) in watch.compare_thirds().items():
        lines.append(f"{name:>32} {first // 1_000_000:5} {last // 1_000_000:5}")
    return "\n".join(lines)


def test_under_load_usage_is_counted_once_calls_succeed_and_processes_neither_grow_nor_stay(tmp_path: Path) -> None:
    now = int(time.time() * 1000)
    sent_usages = [_build_usage(number, now, "event") for number in range(COUNT)]
    posted_usages = [_build_usage(number, now, "call") for number in range((IDLE_CALLS + CALLS) // 4)]
    with running_system(tmp_path) as system:
        queue = {"QueueUrl": system.outputs["UsageQueueUrl"]}
        attributes = {"VisibilityTimeout": str(VISIBILITY_TIMEOUT_SECONDS)}
        system.client("sqs").set_queue_attributes(**queue, Attributes=attributes)
        api = Api(system)
        meters = [{"label": name, "meterApiName": name, "meterType": "sum_of_all_usage"} for name in METERS]
        meter_ids = [api.call("POST", "meters", meter).body["data"]["id"] for meter in meters]
        # One kind after the other, so that each function starts as many workers as there are callers.
        warm_up = sorted(_build_calls(4 * CONCURRENCY, meter_ids, posted_usages), key=lambda call: call.kind)
        run_calls(api, CONCURRENCY, warm_up)
        sandbox_of(system).set_faults(FAULTS)
        idle = run_calls(api, CONCURRENCY, _build_calls(IDLE_CALLS, meter_ids, posted_usages))
        with watch_processes(system, SAMPLE_INTERVAL_SECONDS) as watch:
            started, cpu_before = time.monotonic(), measure_cpu_seconds(system)
            with ThreadPoolExecutor(1) as sender:
                sending = sender.submit(_send, system, sent_usages)
                calls = _build_calls(CALLS, meter_ids, posted_usages[IDLE_CALLS // 4 :])
                busy = run_calls(api, CONCURRENCY, calls)
                call_seconds, waiting_events = time.monotonic() - started, count_messages(system)
                cpu_after = measure_cpu_seconds(system)
                sending.result()
            assert wait_until(lambda: count_messages(system) == 0, TIMEOUT_SECONDS)
            seconds = time.monotonic() - started
        _retry_ingest_calls(api, [*idle, *busy])
        statuses = Counter(result.status for result in [*idle, *busy])
        # In the short form the fault matrix has measured them, and reading all histories takes long.
        measured = check_all_executions(system) if SOAK else None
        struck = [fault["struck"] for fault in sandbox_of(system).faults()]
        print(
            f"\n{COUNT:,} usages in {seconds:.0f} s, {COUNT / seconds:,.0f} a second; "
            f"{CALLS:,} calls in the first {call_seconds:.0f} s, after which {waiting_events:,} events were waiting\n"
            f"responses {dict(statuses)}, calls affected by each fault {struck}\n"
            f"{measured or 'sizes were not measured'}\n"
            f"processor seconds during the calls: {_render_cpu(cpu_before, cpu_after)}\n"
            f"{_render_calls(idle, busy)}\n{_render_memory(watch)}"
        )
        assert count_messages(system, "UsageDeadLetterQueueUrl") == 0
        assert system.client("dynamodb").scan(TableName=system.outputs["RejectedTableName"])["Items"] == []
        assert _fetch_totals(system) == compute_totals([*sent_usages, *posted_usages])
    assert statuses.keys() <= {200, *RETRYABLE}
    # The retries of the workflows hide nearly all faults from the callers.
    assert statuses[200] >= 0.98 * statuses.total()
    grown = {name for name, (first, last) in watch.compare_thirds().items() if last > first * MAX_GROWTH}
    assert grown <= {"emulator", "sandbox"}
    assert wait_until(lambda: watch.list_running() == [])
