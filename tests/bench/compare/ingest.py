"""Two thousand single events: our batches, against one invocation and one call to Amberflo for each."""

import contextlib
import http.client
import json
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from amberflo_workflows.local.demo.run import batched
from amberflo_workflows.local.system import System
from tests.bench.compare.deployment import OneLambda
from tests.bench.events import METER, build_message, build_usage
from tests.conftest import sandbox_of
from tests.system.workers import measure_lambda_cpu_seconds

EVENTS: Final = 2_000
LATENCIES: Final = (0.0, 0.05)
# Lambda's five pollers of a queue collect a batch each.
POLLERS: Final = 5
# As many as our batches keep busy: each of the five becomes two chunks.
WORKERS: Final = 10
_WARM_UP_EVENTS: Final = (10, 50, 200, 1_000)
_TIMEOUT_SECONDS: Final = 60
_ATTEMPTS: Final = 3


def measure(system: System, one_lambda: OneLambda) -> list[dict[str, Any]]:
    """From the first invocation to the last counted usage, with batches as AWS makes them, for each latency."""
    queue = system.outputs["IngestQueueFunctionName"]

    def send_batches(count: int) -> None:
        messages = [build_message(number, build_usage(number)) for number in range(count)]
        size = -(-count // POLLERS)
        payloads = [{"Records": messages[start : start + size]} for start in range(0, count, size)]
        _invoke_all(system, queue, payloads, POLLERS)

    def send_events(count: int) -> None:
        payloads = [{"detail-type": "ingestUsage", "detail": _build_detail(number)} for number in range(count)]
        _invoke_all(system, one_lambda.function_name, payloads, WORKERS)

    return _measure_designs(system, {"ours": send_batches, "one_lambda": send_events})


def measure_bus(system: System, one_lambda: OneLambda) -> list[dict[str, Any]]:
    """From the first put to the last counted usage, through the emulator's event bus and its batches of ten."""

    def put(bus: str, build_detail: Callable[[int], Any]) -> Callable[[int], None]:
        return lambda count: _put_events(system, bus, map(build_detail, range(count)))

    designs = {
        "ours": put(system.outputs["EventBusName"], build_usage),
        "one_lambda": put(one_lambda.bus_name, _build_detail),
    }
    return _measure_designs(system, designs)


def _measure_designs(system: System, designs: dict[str, Callable[[int], None]]) -> list[dict[str, Any]]:
    rows = []
    # More and more at a time: processes that all start at once would reach the time limits of the states.
    for count in _WARM_UP_EVENTS:
        for send in designs.values():
            _measure_complete_run(system, send, count)
    for latency in LATENCIES:
        sandbox_of(system).set_faults([{"kind": "delay", "seconds": latency}] if latency else [])
        row: dict[str, Any] = {"amberflo_latency_ms": int(latency * 1000)}
        for name, send in designs.items():
            row |= {f"{name}_{figure}": value for figure, value in _measure_complete_run(system, send, EVENTS).items()}
        rows.append(row)
    sandbox_of(system).clear_faults()
    return rows


def _measure_complete_run(system: System, send: Callable[[int], None], count: int) -> dict[str, float]:
    """Measure a run, again if usage was lost: the emulator does not repeat what failed for a target of the bus.

    Raises ``RuntimeError`` if usage was lost in each of three attempts.
    """
    for _ in range(_ATTEMPTS - 1):
        with contextlib.suppress(RuntimeError):
            return _measure_run(system, send, count)
    return _measure_run(system, send, count)


def _measure_run(system: System, send: Callable[[int], None], count: int) -> dict[str, float]:
    """Send events and wait until they are counted. Raises ``RuntimeError`` if they are not."""
    sandbox = sandbox_of(system)
    total = sum(sandbox.totals(METER).values()) + sum(build_usage(number)["meterValue"] for number in range(count))
    sandbox.clear_requests()
    cpu, started = measure_lambda_cpu_seconds(system), time.perf_counter()
    send(count)
    while (counted := sum(sandbox.totals(METER).values())) < total:
        if time.perf_counter() > started + _TIMEOUT_SECONDS:
            raise RuntimeError(f"only {counted} of {total} were counted in {_TIMEOUT_SECONDS} s")
        time.sleep(0.05)
    seconds = time.perf_counter() - started
    return {
        "seconds": round(seconds, 2),
        "cpu_seconds": round(measure_lambda_cpu_seconds(system) - cpu, 2),
        "calls": sandbox.requests()["total"],
    }


def _invoke_all(system: System, function: str, payloads: Sequence[Any], workers: int) -> None:
    """Invoke a function with each payload, ``workers`` at a time. Raises ``RuntimeError`` if an invocation fails.

    Over a plain connection: a client of an SDK would use more of the machine than the function.
    """
    host = system.emulator.url.removeprefix("http://")

    def work(numbers: range) -> None:
        connection = http.client.HTTPConnection(host, timeout=_TIMEOUT_SECONDS)
        for number in numbers:
            connection.request("POST", f"/2015-03-31/functions/{function}/invocations", json.dumps(payloads[number]))
            response = connection.getresponse()
            text = response.read()
            failed = response.status != 200 or response.headers.get("X-Amz-Function-Error")
            if failed or (b"batchItemFailures" in text and json.loads(text)["batchItemFailures"]):
                raise RuntimeError(f"{function} failed: {text[:500]!r}")
        connection.close()

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, (range(start, len(payloads), workers) for start in range(workers))))


def _build_detail(number: int) -> dict[str, Any]:
    """The usage in the form of the one Lambda, for which every other member is a dimension."""
    usage = build_usage(number)
    own = {name: usage[name] for name in ("tenantId", "meterApiName", "meterValue", "uniqueId")}
    return {**own, **usage["dimensions"]}


def _put_events(system: System, bus: str, details: Iterable[Any]) -> None:
    for batch in batched(list(details), 10):
        entries = [
            {"EventBusName": bus, "Source": "my.app", "DetailType": "ingestUsage", "Detail": json.dumps(detail)}
            for detail in batch
        ]
        system.client("events").put_events(Entries=entries)
