"""Concurrent callers of the HTTP API, and how long they waited."""

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

from tests.entrypoints.calls import Api


@dataclass(frozen=True)
class Call:
    """A request to send, and the kind that it is counted under."""

    kind: str
    method: str
    path: str
    body: Any = None


@dataclass(frozen=True)
class CallResult:
    call: Call
    status: int
    seconds: float


def run_calls(api: Api, concurrency: int, calls: Iterable[Call]) -> list[CallResult]:
    """Send the calls, ``concurrency`` at a time."""

    def run(call: Call) -> CallResult:
        started = time.perf_counter()
        response = api.call(call.method, call.path, call.body)
        return CallResult(call, response.status, time.perf_counter() - started)

    with ThreadPoolExecutor(concurrency) as pool:
        return list(pool.map(run, calls))


def compute_percentiles(results: Sequence[CallResult]) -> tuple[float, float]:
    """The 50th and the 95th percentile of the durations, in seconds."""
    cuts = quantiles([result.seconds for result in results], n=20, method="inclusive")
    return cuts[9], cuts[18]
