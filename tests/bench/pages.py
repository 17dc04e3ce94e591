"""How long the console's pages take to be there, with ten thousand executions behind them."""

import json
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final

import uvicorn
from playwright.sync_api import Browser, sync_playwright

from amberflo_workflows.console.app import application
from amberflo_workflows.console.packages import installed
from amberflo_workflows.local.processes import free_port
from amberflo_workflows.local.system import System
from amberflo_workflows.operate.executions.executions import Executions
from amberflo_workflows.operate.executions.reader import Query
from amberflo_workflows.operate.loopback import LOOPBACK
from tests.browser import ARGUMENTS, MISSING, chromium

EXECUTIONS: Final = 10_000
RUNS: Final = 5
# Executions of one state that calls nothing, so that thousands are there within a minute.
_QUICK: Final = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
_STARTED_AT_ONCE: Final = 16


def measure(system: System) -> list[dict[str, Any]]:
    """Milliseconds until a page is loaded, and until its browser has drawn it: the median of five."""
    path = chromium()
    if path is None:
        return [{"page": f"not measured: {MISSING}", "loaded_ms": 0, "largest_paint_ms": 0}]
    machine = system.state_machine_arns["get_meter"]
    _run_many(system, machine)
    executions = Executions(system)
    (newest,) = executions.page(Query(workflow="get_meter", limit=1)).summaries
    pages = {
        "overview": "",
        "executions": "executions",
        "executions, filtered": "executions?workflow=get_meter&status=succeeded&text=9",
        "one execution": f"executions/{newest.arn}",
        "start": "start",
        "usage": "usage",
        "rejected": "rejected",
    }
    with _served(system) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        rows = [_row(browser, name, url + page) for name, page in pages.items()]
        browser.close()
    return rows


def _run_many(system: System, machine: str) -> None:
    client = system.client("stepfunctions")
    client.update_state_machine(stateMachineArn=machine, definition=json.dumps(_QUICK))

    def start(number: int) -> None:
        client.start_execution(stateMachineArn=machine, input=json.dumps({"meterId": f"meter-{number}"}))

    with ThreadPoolExecutor(_STARTED_AT_ONCE) as pool:
        list(pool.map(start, range(EXECUTIONS)))
    time.sleep(2)


@contextmanager
def _served(system: System) -> Iterator[str]:
    port = free_port()
    config = uvicorn.Config(application(system, installed(), port), host=LOOPBACK, port=port, log_level="warning")
    config.timeout_graceful_shutdown = 1
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://{LOOPBACK}:{port}/"
    server.should_exit = True
    thread.join()


def _row(browser: Browser, name: str, address: str) -> dict[str, Any]:
    _visit(browser, address)
    loaded, painted = zip(*(_visit(browser, address) for _ in range(RUNS)), strict=True)
    return {"page": name, "loaded_ms": statistics.median(loaded), "largest_paint_ms": statistics.median(painted)}


def _visit(browser: Browser, address: str) -> tuple[int, int]:
    """Milliseconds to the load event, and to the largest paint."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(address)
    found = page.evaluate(
        """() => new Promise((done) => new PerformanceObserver((list) => done([
             performance.getEntriesByType("navigation")[0].loadEventEnd,
             list.getEntries().at(-1).startTime,
           ])).observe({ type: "largest-contentful-paint", buffered: true }))"""
    )
    context.close()
    return round(found[0]), round(found[1])
