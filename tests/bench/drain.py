"""Time from the event bus to Amberflo through the emulator's queue, and the memory of each process afterwards."""

import json
import time
from collections.abc import Callable
from typing import Any, Final

from amberflo_workflows.local.demo.run import batched
from amberflo_workflows.local.system import System
from tests.bench.events import METER, build_details
from tests.conftest import sandbox_of
from tests.system.workers import measure_memory

COUNTS = (2_000, 20_000)
# Usage that fails is delivered again after half an hour, so that nothing is counted for long.
MAX_IDLE_SECONDS: Final = 120.0


def measure(system: System) -> list[dict[str, Any]]:
    """For few and for many single events: the seconds, and the memory in MB of the largest process of each kind."""
    return [_drain(system, count) for count in COUNTS]


def _drain(system: System, count: int) -> dict[str, Any]:
    sandbox_of(system).reset()
    sandbox_of(system).create_meters(METER)
    usages = list(build_details(count, 1))
    total = sum(usage["meterValue"] for usage in usages)
    started = time.perf_counter()
    for batch in batched(usages, 10):
        entries = [
            {
                "EventBusName": system.outputs["EventBusName"],
                "Source": "my.app",
                "DetailType": "ingestUsage",
                "Detail": json.dumps(usage),
            }
            for usage in batch
        ]
        system.client("events").put_events(Entries=entries)
    put_seconds = time.perf_counter() - started
    wait_until_counted(lambda: sum(sandbox_of(system).totals(METER).values()), total)
    seconds = time.perf_counter() - started
    return {
        "events": count,
        "put_seconds": round(put_seconds, 1),
        "drained_seconds": round(seconds, 1),
        "events_per_second": round(count / seconds),
        "processes": _summarize_memory(system),
    }


def wait_until_counted(count: Callable[[], float], total: float, max_idle_seconds: float = MAX_IDLE_SECONDS) -> None:
    """Wait until ``count`` returns ``total``. Raises ``RuntimeError`` if it has not grown for ``max_idle_seconds``."""
    counted, grown_at = count(), time.monotonic()
    while counted < total:
        if time.monotonic() - grown_at > max_idle_seconds:
            raise RuntimeError(
                f"only {counted:,} of {total:,} were counted, and none in the last {max_idle_seconds:g} s: "
                "see the logs of the Lambdas"
            )
        time.sleep(0.2)
        earlier, counted = counted, count()
        if counted > earlier:
            grown_at = time.monotonic()


def _summarize_memory(system: System) -> dict[str, Any]:
    return {
        name: {"processes": len(sizes), "largest_mb": max(sizes) // 1_000_000}
        for name, sizes in sorted(measure_memory(system).items())
    }
