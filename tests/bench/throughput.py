"""Usages a second through one worker, against one HTTP call each from one worker."""

import time
from pathlib import Path
from typing import Any

import msgspec
import requests

from amberflo_workflows.core.usage_record import build_record
from amberflo_workflows.local.system import System
from tests.bench.events import batch, invoke, usage
from tests.conftest import sandbox_of

LATENCIES = (0.0, 0.05)
SHAPES = ((1_000, 1), (3_000, 300), (21_000, 300))
ROUNDS = 3


def measure(system: System, folder: Path) -> list[dict[str, Any]]:
    """For each latency of Amberflo: a batch of single events, and two of events with 300 usages each."""
    key = (folder / "sandbox.key").read_text()
    rows = []
    for count, an_event in SHAPES:
        # The first batch starts the worker processes, which on AWS are there.
        invoke(system, batch(count, an_event))
    for latency in LATENCIES:
        sandbox_of(system).set_faults([{"kind": "delay", "seconds": latency}] if latency else [])
        alone = _one_call_each(system, key, 2_000 if latency == 0 else 100)
        for count, an_event in SHAPES:
            ours = max(_through_the_worker(system, count, an_event) for _ in range(ROUNDS))
            rows.append(
                {
                    "amberflo_latency_ms": int(latency * 1000),
                    "usages_in_the_batch": count,
                    "usages_an_event": an_event,
                    "usages_per_second": round(ours),
                    "one_call_each_per_second": round(alone),
                    "ratio": round(ours / alone, 1),
                }
            )
    sandbox_of(system).clear_faults()
    return rows


def _through_the_worker(system: System, count: int, an_event: int) -> float:
    messages = batch(count, an_event)
    started = time.perf_counter()
    invoke(system, messages)
    return count / (time.perf_counter() - started)


def _one_call_each(system: System, key: str, count: int) -> float:
    """The best that a worker can do that makes a call for each usage: one connection, nothing else to do."""
    records = [msgspec.json.encode(build_record(usage(n), event_id="", event_time="")) for n in range(count)]
    with requests.Session() as session:
        session.headers.update({"X-API-KEY": key, "Content-Type": "application/json"})
        started = time.perf_counter()
        for record in records:
            session.post(f"{system.amberflo_url}/ingest", data=record, timeout=30).raise_for_status()
        return count / (time.perf_counter() - started)
