"""Events on the bus until Amberflo has them, as the emulator's queue hands them out, and the memory of each process."""

import json
import time
from typing import Any

from amberflo_workflows.local.demo.run import batched
from amberflo_workflows.local.system import System
from tests.bench.events import details
from tests.conftest import sandbox_of
from tests.system.workers import memory

COUNTS = (2_000, 20_000)


def measure(system: System) -> list[dict[str, Any]]:
    """Single events, few and many; memory in MB at the end of each, and the most that a process of a kind has."""
    return [_drained(system, count) for count in COUNTS]


def _drained(system: System, count: int) -> dict[str, Any]:
    sandbox_of(system).reset()
    given = list(details(count, 1))
    total = sum(usage["meterValue"] for usage in given)
    started = time.perf_counter()
    for part in batched(given, 10):
        entries = [
            {
                "EventBusName": system.outputs["EventBusName"],
                "Source": "my.app",
                "DetailType": "ingestUsage",
                "Detail": json.dumps(usage),
            }
            for usage in part
        ]
        system.client("events").put_events(Entries=entries)
    put = time.perf_counter() - started
    while sum(sandbox_of(system).totals("api-calls").values()) < total:
        time.sleep(0.2)
    seconds = time.perf_counter() - started
    return {
        "events": count,
        "put_seconds": round(put, 1),
        "drained_seconds": round(seconds, 1),
        "events_per_second": round(count / seconds),
        "processes": _memory(system),
    }


def _memory(system: System) -> dict[str, Any]:
    return {
        name: {"processes": len(sizes), "largest_mb": max(sizes) // 1_000_000}
        for name, sizes in sorted(memory(system).items())
    }
