"""Callers of the HTTP API, many at once, and how long they waited."""

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

from tests.entrypoints.calls import Api


@dataclass(frozen=True)
class Call:
    """A call to make: what it is for, and its request."""

    kind: str
    method: str
    path: str
    body: Any = None


@dataclass(frozen=True)
class Made:
    """A call that was answered."""

    call: Call
    status: int
    seconds: float


def make(api: Api, at_once: int, calls: Iterable[Call]) -> list[Made]:
    """Make the calls, so many at once."""

    def one(call: Call) -> Made:
        started = time.perf_counter()
        answer = api.call(call.method, call.path, call.body)
        return Made(call, answer.status, time.perf_counter() - started)

    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(one, calls))


def percentiles(made: Sequence[Made]) -> tuple[float, float]:
    """The 50th and the 95th of the seconds."""
    cuts = quantiles([one.seconds for one in made], n=20, method="inclusive")
    return cuts[9], cuts[18]
