"""How long the console's pages take to load when there are ten thousand executions."""

import json
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from playwright.sync_api import Browser, sync_playwright

from amberflo_workflows.local.system import System
from amberflo_workflows.operate.executions.executions import Executions
from amberflo_workflows.operate.executions.reader import Query
from tools.chromium import CHROMIUM_ARGUMENTS, CHROMIUM_MISSING, find_chromium
from tools.console import serve_console

EXECUTIONS: Final = 10_000
RUNS: Final = 5
# One state without a call, so that thousands of executions take less than a minute.
_QUICK_DEFINITION: Final = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
_CONCURRENCY: Final = 16


def measure(system: System) -> list[dict[str, Any]]:
    """Median milliseconds to the load event and to the largest contentful paint of each page."""
    path = find_chromium()
    if path is None:
        return [{"page": f"not measured: {CHROMIUM_MISSING}", "loaded_ms": 0, "largest_paint_ms": 0}]
    start_executions(system)
    executions = Executions(system)
    (newest,) = executions.list_page(Query(workflow="get_meter", limit=1)).summaries
    pages = {
        "overview": "",
        "executions": "executions",
        "executions, filtered": "executions?workflow=get_meter&status=succeeded&text=9",
        "one execution": f"executions/{newest.arn}",
        "start": "start",
        "usage": "usage",
        "rejected": "rejected",
    }
    with serve_console(system) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_ARGUMENTS))
        rows = [_measure_page(browser, name, url + page) for name, page in pages.items()]
        browser.close()
    return rows


def start_executions(system: System) -> None:
    """Start the executions of ``get_meter``, whose definition is another one until they have ended."""
    client, machine = system.client("stepfunctions"), system.state_machine_arns["get_meter"]
    definition = client.describe_state_machine(stateMachineArn=machine)["definition"]
    client.update_state_machine(stateMachineArn=machine, definition=json.dumps(_QUICK_DEFINITION))

    def start(number: int) -> None:
        client.start_execution(stateMachineArn=machine, input=json.dumps({"meterId": f"meter-{number}"}))

    with ThreadPoolExecutor(_CONCURRENCY) as pool:
        list(pool.map(start, range(EXECUTIONS)))
    time.sleep(2)
    client.update_state_machine(stateMachineArn=machine, definition=definition)


def _measure_page(browser: Browser, name: str, url: str) -> dict[str, Any]:
    _visit(browser, url)
    loaded, painted = zip(*(_visit(browser, url) for _ in range(RUNS)), strict=True)
    return {"page": name, "loaded_ms": statistics.median(loaded), "largest_paint_ms": statistics.median(painted)}


def _visit(browser: Browser, url: str) -> tuple[int, int]:
    """Milliseconds to the load event, and to the largest contentful paint."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(url)
    loaded, painted = page.evaluate(
        """() => new Promise((done) => new PerformanceObserver((list) => done([
             performance.getEntriesByType("navigation")[0].loadEventEnd,
             list.getEntries().at(-1).startTime,
           ])).observe({ type: "largest-contentful-paint", buffered: true }))"""
    )
    context.close()
    return round(loaded), round(painted)
