"""How the time and the memory of lists grow with what is behind them: meters, groups, rejected items, executions.

Amberflo is a server that returns as many meters or groups as it is asked for, and Step Functions a client with as many
executions: the sandbox and the emulator would need minutes for them.
"""

import io
import logging
import os
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler
from typing import Any, Final
from unittest.mock import Mock, patch

import msgspec

from amberflo_workflows.core.rejected_item import OPEN_STATUSES, RejectedItem, to_attributes
from amberflo_workflows.local.system import SECRET, System
from amberflo_workflows.operate.executions.executions import Executions
from amberflo_workflows.operate.rejected.item_filter import ItemFilter
from amberflo_workflows.operate.rejected.table import RejectedTable
from amberflo_workflows.tasks import fetch_usage, list_meters
from tests.bench.meter_names import build_environment
from tests.http_server import serving

STEP_SIZES: Final = (10, 1_000, 10_000)
ITEM_SIZES: Final = (10, 1_000, 10_000, 100_000)
EXECUTION_SIZES: Final = (10, 1_000, 10_000, 100_000, 1_000_000)
_PAGE: Final = 50
_WRITE_BATCH: Final = 25
_RUNS: Final = 3


def measure(system: System) -> list[dict[str, Any]]:
    """Measure each list at each size, smallest first."""
    return [*_measure_steps(system), *_measure_rejected(system), *_measure_executions(system)]


def _measure_steps(system: System) -> Iterator[dict[str, Any]]:
    version = system.client("secretsmanager").get_secret_value(SecretId=SECRET)["VersionId"]
    event = {"apiKey": {"versionId": version}, "execution": {"name": "bench", "startTime": ""}, "timeoutSeconds": 15}
    usage = {"question": {"groupBy": "customerId"}, "meterApiName": "calls"}
    bodies: dict[str, bytes] = {}
    # Powertools reads its log level when it is imported.
    logging.disable(logging.WARNING)
    # One server for all sizes, since a process keeps the address.
    with serving(_build_amberflo(bodies)) as url, patch.dict(os.environ, _build_environment(system, url)):
        for name, handler, request in (
            ("list_meters, a page of 50", list_meters.handler, {"limit": 50}),
            ("fetch_usage, by customer", fetch_usage.handler, usage),
        ):
            for size in STEP_SIZES:
                bodies |= _build_bodies(size)
                yield _measure(name, size, partial(handler, {**event, "request": request}, None))
    logging.disable(logging.NOTSET)


def _build_environment(system: System, url: str) -> dict[str, str]:
    environment = build_environment(system, is_checked=False)
    return environment | {
        "AMBERFLO_BASE_URL": url,
        "AMBERFLO_INGEST_URL": url,
        "ANSWERS_BUCKET_NAME": system.outputs["BackfillBucketName"],
    }


def _build_bodies(size: int) -> dict[str, bytes]:
    """Build the responses to ``GET /meters`` and ``POST /usage``."""
    meters = [
        {"id": f"id-{number}", "meterApiName": f"meter-{number:06}", "label": "Calls", "meterType": "sum_of_all_usage"}
        for number in range(size)
    ]
    groups = [{"group": {"groupInfo": {"customerId": f"customer-{n}"}}, "groupValue": n} for n in range(size)]
    return {"GET": msgspec.json.encode(meters), "POST": msgspec.json.encode({"clientMeters": groups})}


def _build_amberflo(bodies: Mapping[str, bytes]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _respond(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.send_header("Content-Length", str(len(bodies[self.command])))
            self.end_headers()
            self.wfile.write(bodies[self.command])

        do_GET = do_POST = _respond  # noqa: N815 - names of the standard library

        def log_message(self, *arguments: Any) -> None:
            """Write no log."""

    return Handler


def _measure_rejected(system: System) -> Iterator[dict[str, Any]]:
    table, written = RejectedTable(system), 0
    tenant = ItemFilter(tenant="tenant-1")
    for size in ITEM_SIZES:
        _write_items(system, range(written, size))
        written = size
        yield _measure("rejected, first page", size, lambda: table.list_page(ItemFilter(), 1, _PAGE))
        yield _measure("rejected, first page of a tenant", size, lambda: table.list_page(tenant, 1, _PAGE))
        yield _measure("rejected, count", size, lambda: table.count(OPEN_STATUSES))


def _write_items(system: System, numbers: range) -> None:
    name, client = system.outputs["RejectedTableName"], system.client("dynamodb")

    def write(batch: range) -> None:
        client.batch_write_item(RequestItems={name: [{"PutRequest": {"Item": _build_item(n)}} for n in batch]})

    with ThreadPoolExecutor(8) as pool:
        starts = range(0, len(numbers), _WRITE_BATCH)
        list(pool.map(write, (numbers[start : start + _WRITE_BATCH] for start in starts)))


def _build_item(number: int) -> dict[str, Any]:
    at = datetime.fromtimestamp(1_700_000_000 + number, UTC).isoformat(timespec="milliseconds")
    tenant = f"tenant-{number % 10}"
    usage = {"tenantId": tenant, "meterApiName": "calls", "meterValue": "many", "dimensions": {"region": "eu"}}
    original = {"eventId": str(number), "eventTime": at, "index": 0, "usage": usage}
    reason = "meterValue must be a number"
    return to_attributes(
        RejectedItem(f"item-{number}", "rejected", reason, tenant, "calls", str(number), at, "arn", original)
    )


def _measure_executions(system: System) -> Iterator[dict[str, Any]]:
    """What the overview reads for a workflow: the newest executions of the last hour."""
    for size in EXECUTION_SIZES:
        many = Mock(wraps=system)
        many.outputs, many.state_machine_arns = system.outputs, system.state_machine_arns
        many.client = partial(_build_client, system, size)
        executions, since = Executions(many), datetime.now(UTC) - timedelta(hours=1)
        yield _measure("overview, one workflow", size, partial(executions.list_recent, "get_meter", since, 900))


def _build_client(system: System, size: int, service: str) -> Any:
    client = system.client(service)
    if service != "stepfunctions":
        return client
    paginator = Mock()
    paginator.paginate.return_value.search = lambda _: _iterate_executions(size)
    wrapped = Mock(wraps=client)
    wrapped.get_paginator = lambda name: paginator if name == "list_executions" else client.get_paginator(name)
    return wrapped


def _iterate_executions(size: int) -> Iterator[Mapping[str, Any]]:
    now = datetime.now(UTC)
    for number in range(size):
        at = now - timedelta(milliseconds=3 * number)
        yield {"executionArn": f"arn:a:b:c:d:e:f:{number}", "status": "SUCCEEDED", "startDate": at, "stopDate": at}


def _measure(name: str, size: int, run: Callable[[], Any]) -> dict[str, Any]:
    """The best time of some runs, and the peak of the memory that Python allocates in another one."""
    # Steps print their metrics.
    with redirect_stdout(io.StringIO()):
        run()
        seconds = min(_time(run) for _ in range(_RUNS))
        tracemalloc.start()
        run()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return {"list": name, "size": size, "ms": round(seconds * 1000, 1), "peak_mb": round(peak / 1e6, 2)}


def _time(run: Callable[[], Any]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started
