"""A fresh Lambda process: imports a handler and invokes it, and measures both.

Run as a script with the path of a JSON file ``{"paths": […], "module", "event", "warm_calls"}``, in which it replaces
the task by ``{"init", "first", "warm", "result", "peak_bytes"}``: the first three are ``[processor seconds, waiting
seconds]``, the last one is the most memory that it had, where Linux counts it.

Lambda's own runtime client is imported before the clock starts, since AWS starts it for every function alike.
"""

import importlib
import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from awslambdaric.lambda_context import LambdaContext

_SCHEDULER = Path("/proc/thread-self/schedstat")
# Of the threads that ended during a measurement.
_queued: list[float] = []


def main(path: Path) -> None:
    """Measure what the file says, and write the figures into it."""
    task = json.loads(path.read_text())
    sys.path[:0] = task["paths"]
    threading.Thread = _Thread  # type: ignore[misc] # those that handlers start are measured as well
    context = LambdaContext("00000000-0000-4000-8000-000000000000", {}, {}, int((time.time() + 900) * 1000))
    modules = []
    init = _measure(lambda: modules.append(importlib.import_module(task["module"])))
    handler = modules[0].handler
    results: list[Any] = []

    def invoke() -> None:
        results.append(handler(json.loads(task["event"]), context))

    first = _measure(invoke)
    warm = [_measure(invoke) for _ in range(task["warm_calls"])]
    path.write_text(
        json.dumps(
            {
                "init": init,
                "first": first,
                "warm": [median(values) for values in zip(*warm, strict=True)],
                "result": results[-1],
                "peak_bytes": _read_peak_bytes(),
            }
        )
    )


def _measure(function: Callable[[], object]) -> tuple[float, float]:
    """The processor seconds of all threads, and the seconds in which the process waits for something other than a core.

    Linux counts how long a thread was ready to run and had no core. Elsewhere that is part of the waiting.
    """
    _queued.clear()
    processor, wall, queued = time.process_time(), time.perf_counter(), _read_queued_seconds()
    function()
    processor, wall = time.process_time() - processor, time.perf_counter() - wall
    return processor, max(wall - processor - (_read_queued_seconds() - queued) - sum(_queued), 0)


def _read_queued_seconds() -> float:
    """How long the current thread has waited for a core since its start."""
    try:
        return int(_SCHEDULER.read_text().split()[1]) / 1e9
    except OSError:
        return 0


def _read_peak_bytes() -> int:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


class _Thread(threading.Thread):
    """A thread for which the main thread waits, so that its waits for a core are those of the main thread."""

    def run(self) -> None:
        try:
            super().run()
        finally:
            _queued.append(_read_queued_seconds())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
