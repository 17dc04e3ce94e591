import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urljoin

import pytest
import uvicorn
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from amberflo_workflows.console.app import application
from amberflo_workflows.console.packages import installed
from amberflo_workflows.local.processes import free_port
from amberflo_workflows.local.system import System
from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.executions.executions import Executions
from amberflo_workflows.operate.loopback import LOOPBACK
from amberflo_workflows.operate.rejected.table import RejectedTable
from tests.browser import CHROMIUM_ARGUMENTS, CHROMIUM_MISSING, find_chromium
from tests.packages import ROOT

# A busy machine takes its time.
expect.set_options(timeout=20_000)

SCREENSHOTS = ROOT / "build" / "screenshots"
NARROW = {"width": 390, "height": 844}
WIDE = {"width": 1280, "height": 900}

OpenPage = Callable[..., Page]


@contextmanager
def served(deployment: Deployment, executions: Executions | None = None) -> Iterator[str]:
    """The console of a deployment, served for real; its address ends in a slash. It may be given other executions."""
    port = free_port()
    app = application(deployment, installed(), port)
    if executions:
        app.state.console.executions = executions
    server = uvicorn.Server(
        uvicorn.Config(app, host=LOOPBACK, port=port, log_level="warning", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://{LOOPBACK}:{port}/"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def console_url(shared_system: System) -> Iterator[str]:
    """The console of the system that all tests share."""
    with served(shared_system) as url:
        yield url


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = find_chromium()
    if path is None:
        pytest.skip(CHROMIUM_MISSING)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_ARGUMENTS))
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser: Browser, console_url: str) -> Iterator[OpenPage]:
    """Open a page of the console by its path, or of another one by its address. Afterwards nothing may have gone wrong
    in it, or left its console.
    """
    contexts, complaints = [], []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    def watch(request: Request, console: str) -> None:
        if not request.url.startswith((console, "data:")):
            complaints.append(f"request to {request.url}")

    def opened(path: str, *, narrow: bool = False, dark: bool = False, refusals: bool = False) -> Page:
        context = browser.new_context(
            viewport=NARROW if narrow else WIDE,  # type: ignore[arg-type] # a TypedDict
            color_scheme="dark" if dark else "light",
        )
        contexts.append(context)
        page = context.new_page()
        # A browser tells of each refusal; a test may be about one.
        page.on("console", lambda message: None if refusals and "Failed to load" in message.text else note(message))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        address = urljoin(console_url, path)
        page.on("request", lambda request: watch(request, urljoin(address, "/")))
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def keep_screenshot(page: Page, name: str) -> None:
    """For people to look at, in ``build/screenshots``."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


@pytest.fixture
def tenant() -> str:
    """A tenant of each test's own: the table keeps what other tests left."""
    return f"tenant-{uuid.uuid4()}"


@pytest.fixture
def table(system: System) -> RejectedTable:
    return RejectedTable(system)


@pytest.fixture
def dead(system: System) -> Iterator[System]:
    """Nothing is in the dead-letter queues, nor will be afterwards."""
    queues = [system.outputs[name] for name in ("UsageDeadLetterQueueUrl", "TenantDeadLetterQueueUrl")]
    for queue in queues:
        system.client("sqs").purge_queue(QueueUrl=queue)
    yield system
    for queue in queues:
        system.client("sqs").purge_queue(QueueUrl=queue)
