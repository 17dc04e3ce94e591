"""Usages per second through one worker, and with one HTTP call for each usage from one worker."""

import time
from pathlib import Path
from typing import Any

import msgspec
import requests

from amberflo_workflows.core.usage_record import build_record
from amberflo_workflows.local.system import System
from tests.bench.events import build_batch, build_usage, invoke
from tests.conftest import sandbox_of

LATENCIES = (0.0, 0.05)
SHAPES = ((1_000, 1), (3_000, 300), (21_000, 300))
ROUNDS = 3


def measure(system: System, folder: Path) -> list[dict[str, Any]]:
    """For each latency of Amberflo, a batch of single events and two batches of events with 300 usages each."""
    key = (folder / "sandbox.key").read_text()
    rows = []
    for count, usages_per_event in SHAPES:
        # The first batch starts the worker processes, which the measurement leaves out.
        invoke(system, build_batch(count, usages_per_event))
    for latency in LATENCIES:
        sandbox_of(system).set_faults([{"kind": "delay", "seconds": latency}] if latency else [])
        reference = _measure_single_calls(system, key, 2_000 if latency == 0 else 100)
        for count, usages_per_event in SHAPES:
            ours = max(_measure_worker(system, count, usages_per_event) for _ in range(ROUNDS))
            rows.append(
                {
                    "amberflo_latency_ms": int(latency * 1000),
                    "usages_per_batch": count,
                    "usages_per_event": usages_per_event,
                    "usages_per_second": round(ours),
                    "single_calls_per_second": round(reference),
                    "ratio": round(ours / reference, 1),
                }
            )
    sandbox_of(system).clear_faults()
    return rows


def _measure_worker(system: System, count: int, usages_per_event: int) -> float:
    messages = build_batch(count, usages_per_event)
    started = time.perf_counter()
    invoke(system, messages)
    return count / (time.perf_counter() - started)


def _measure_single_calls(system: System, key: str, count: int) -> float:
    """The fastest that a worker with one call per usage can be: one connection, and nothing else to do."""
    records = [
        msgspec.json.encode(build_record(build_usage(number), event_id="", event_time="")) for number in range(count)
    ]
    with requests.Session() as session:
        session.headers.update({"X-API-KEY": key, "Content-Type": "application/json"})
        started = time.perf_counter()
        for record in records:
            session.post(f"{system.amberflo_url}/ingest", data=record, timeout=30).raise_for_status()
        return count / (time.perf_counter() - started)
