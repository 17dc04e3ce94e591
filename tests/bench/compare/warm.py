"""Calls of the HTTP API of both designs on the same emulator and sandbox, without the emulator's fixed pauses."""

import time
from collections.abc import Iterator
from statistics import median
from typing import Any, Final, NamedTuple

import requests

from amberflo_workflows.local.system import System
from tests.bench.compare.deployment import EmptyFunctions, OneLambda
from tests.bench.events import METER
from tests.conftest import sandbox_of
from tests.system.workers import measure_lambda_cpu_seconds

ROUNDS: Final = 4
# Linux counts processor time in steps of 10 ms.
CALLS: Final = 60


class Sample(NamedTuple):
    """Seconds of each call, and the processor seconds that the Lambdas used for all of them."""

    calls: list[float]
    lambda_cpu: float


def measure(system: System, one_lambda: OneLambda, empty: EmptyFunctions) -> dict[str, list[dict[str, Any]]]:
    """For each route: the median milliseconds of a call, and the milliseconds of the Lambdas' processor time.

    ``warm`` has the routes; ``empty`` has that of a meter with the empty functions, measured in turn with it.
    """
    sandbox_of(system).create_meters(METER)
    rows: dict[str, list[dict[str, Any]]] = {"warm": [], "empty": []}
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {system.access_token}"
        meters = session.get(system.api_endpoint + "meters", timeout=60).json()["data"]
        meter_id = next(meter["id"] for meter in meters if meter["meterApiName"] == METER)
        endpoints = {"ours": system.api_endpoint, "one_lambda": one_lambda.api_endpoint}
        for route, path in (
            ("POST /meters", "meters"),
            ("GET /meters/{id}", f"meters/{meter_id}"),
            ("GET /usage/{id}", f"usage/{meter_id}"),
        ):
            urls = {name: url + path for name, url in endpoints.items()}
            if route == "GET /meters/{id}":
                urls |= {"empty_ours": empty.workflow_endpoint + path, "empty_one_lambda": empty.alone_endpoint + path}
            samples = _measure_route(system, session, route, urls)
            rows["warm"].append(_build_row(route, {name: samples[name] for name in endpoints}))
            if len(samples) > len(endpoints):
                rows["empty"].append(
                    _build_row("empty functions", {name: samples[f"empty_{name}"] for name in endpoints})
                )
    return rows


def _measure_route(
    system: System, session: requests.Session, route: str, urls: dict[str, str]
) -> dict[str, list[Sample]]:
    """The samples of each design, in turn, so that a change of the machine's speed is the same for both."""
    samples: dict[str, list[Sample]] = {name: [] for name in urls}
    for number in range(ROUNDS + 1):
        for name, url in urls.items():
            bodies = _build_bodies(f"{name}-{number}") if route.startswith("POST") else iter([None] * CALLS)
            samples[name].append(_call(system, session, url, bodies))
    # The first round starts the processes.
    return {name: rounds[1:] for name, rounds in samples.items()}


def _build_bodies(prefix: str) -> Iterator[dict[str, str]]:
    for number in range(CALLS):
        name = f"{prefix}-{number}"
        yield {"label": name, "meterApiName": name, "meterType": "sum_of_all_usage"}


def _call(system: System, session: requests.Session, url: str, bodies: Iterator[dict[str, str] | None]) -> Sample:
    seconds = []
    cpu = measure_lambda_cpu_seconds(system)
    for body in bodies:
        started = time.perf_counter()
        response = session.request("POST" if body else "GET", url, json=body, timeout=60)
        seconds.append(time.perf_counter() - started)
        response.raise_for_status()
    return Sample(seconds, measure_lambda_cpu_seconds(system) - cpu)


def _build_row(route: str, samples: dict[str, list[Sample]]) -> dict[str, Any]:
    row: dict[str, Any] = {"call": route}
    for name, rounds in samples.items():
        calls = [seconds for sample in rounds for seconds in sample.calls]
        row[f"{name}_ms"] = round(median(calls) * 1000, 1)
        row[f"{name}_cpu_ms"] = round(sum(sample.lambda_cpu for sample in rounds) / len(calls) * 1000, 1)
    return row
