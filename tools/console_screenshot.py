"""Take the screenshots of the console in ``docs``: ``overview.png`` and ``console.png``.

Run by ``make screenshot``: it starts a private local system, runs workflows on it, some with faults of the sandbox, and
opens the overview and an execution that was retried in Chromium.
"""

import random
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page, sync_playwright

from amberflo_workflows.local.system import System, running_system
from amberflo_workflows.operate.loopback import loopback_session
from tools.chromium import CHROMIUM_ARGUMENTS, CHROMIUM_MISSING, find_chromium
from tools.console import serve_console

_DOCS: Final = Path(__file__).resolve().parents[1] / "docs"
OVERVIEW_PATH: Final = _DOCS / "overview.png"
EXECUTION_PATH: Final = _DOCS / "console.png"
MAX_BYTES: Final = 300_000
# The height limits the panel with the state, so that the timeline below it is in the picture of the full page.
EXECUTION_VIEWPORT: Final = {"width": 1280, "height": 520}
OVERVIEW_VIEWPORT: Final = {"width": 1280, "height": 860}
_HOURS: Final = 8
_METERS: Final = {"api-calls": "API calls", "storage-gb": "Storage in GB", "compute-minutes": "Compute minutes"}
_TENANTS: Final = ("acme", "globex", "initech", "umbrella")
_RETRIED_METER: Final = {
    "meterApiName": "emails-sent",
    "label": "Emails sent",
    "meterType": "sum_of_all_usage",
    "dimensions": ["region", "campaign"],
    "unit": "emails",
}
_UNAVAILABLE: Final = {"kind": "status", "status": 503}


def main() -> int:
    chromium = find_chromium()
    if chromium is None:
        print(CHROMIUM_MISSING)
        return 1
    with tempfile.TemporaryDirectory() as folder, running_system(Path(folder)) as system:
        path = _run_workflows(system)
        with serve_console(system) as url:
            _take_screenshots(chromium, url, path)
    sizes = {file: file.stat().st_size for file in (OVERVIEW_PATH, EXECUTION_PATH)}
    for file, size in sizes.items():
        print(f"{file}: {size:,} bytes")
    return 0 if max(sizes.values()) <= MAX_BYTES else 1


def _run_workflows(system: System) -> str:
    """Create meters and report usage; returns the path of the execution to show, which was retried."""
    for name, label in _METERS.items():
        _call(system, "POST", "meters", {"meterApiName": name, "label": label, "meterType": "sum_of_all_usage"})
    _call(system, "POST", "ingest", {"records": _build_records()})
    # One rejected usage, one request with an unknown meter, one execution that fails after all retries.
    _call(system, "POST", "ingest", {"records": [{"tenantId": "acme", "meterApiName": "api-calls", "meterValue": "x"}]})
    _call(system, "GET", "meters/unknown-meter")
    _call(system, "GET", "meters", fault=_UNAVAILABLE)
    retried = _call(system, "POST", "meters", _RETRIED_METER, fault={**_UNAVAILABLE, "path": "/meters", "times": 2})
    return f"executions/{retried}?state=CreateMeter"


def _build_records() -> list[dict[str, Any]]:
    """Usage of all tenants over the last hours."""
    generator = random.Random(1)  # noqa: S311 - sample data
    now_millis = time.time_ns() // 1_000_000
    return [
        {
            "tenantId": tenant,
            "meterApiName": meter,
            "meterValue": generator.randint(5, 400),
            "meterTimeInMillis": now_millis - generator.randint(60_000, _HOURS * 3_600_000),
        }
        for meter in _METERS
        for tenant in _TENANTS
        for _ in range(_HOURS)
    ]


def _call(system: System, method: str, path: str, body: Any = None, *, fault: Mapping[str, Any] | None = None) -> str:
    """Call the HTTP API, with a fault of the sandbox if there is one; returns the ARN of the execution."""
    sandbox = system.sandbox
    if sandbox is None:
        raise RuntimeError("The local system has no sandbox.")
    sandbox.set_faults([dict(fault)] if fault else [])
    headers = {"Authorization": f"Bearer {system.access_token}"}
    response = loopback_session().request(method, system.api_endpoint + path, json=body, headers=headers, timeout=60)
    sandbox.clear_faults()
    return str(response.headers["x-execution-arn"])


def _take_screenshots(chromium: str, url: str, execution: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(CHROMIUM_ARGUMENTS))
        _show_overview(browser.new_page(viewport=OVERVIEW_VIEWPORT), url)  # type: ignore[arg-type] # a TypedDict
        _show_execution(browser.new_page(viewport=EXECUTION_VIEWPORT), url + execution)  # type: ignore[arg-type] # as above
        browser.close()


def _show_overview(page: Page, url: str) -> None:
    page.goto(url)
    page.get_by_role("button", name="Show usage").click()
    page.locator("#usage-today table").wait_for()
    page.screenshot(path=OVERVIEW_PATH)


def _show_execution(page: Page, url: str) -> None:
    page.goto(url)
    page.locator("#state .attempts").wait_for()
    page.locator("#state .log > li").first.wait_for()
    page.screenshot(path=EXECUTION_PATH, full_page=True)


if __name__ == "__main__":
    sys.exit(main())
