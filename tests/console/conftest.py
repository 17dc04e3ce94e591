import re
import uuid
from collections.abc import Callable, Iterator
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from amberflo_workflows.console.app import create_app
from amberflo_workflows.console.packages import install_packages
from amberflo_workflows.console.state import Console
from amberflo_workflows.local.processes import find_free_port
from amberflo_workflows.local.system import System
from amberflo_workflows.operate.rejected.table import RejectedTable
from tools.chromium import CHROMIUM_ARGUMENTS, CHROMIUM_MISSING, find_chromium
from tools.console import serve_app

# Assertions need longer timeouts on a busy machine.
expect.set_options(timeout=20_000)

NARROW = {"width": 390, "height": 844}
WIDE = {"width": 1280, "height": 900}

# What the browser and htmx log of a response with an error status, and of a stream that ends.
FAILED_REQUEST = re.compile(r"Failed to load|Response Status Error|\[object Event\]")

OpenPage = Callable[..., Page]


@pytest.fixture(scope="session")
def shared_console(shared_system: System) -> Iterator[tuple[Console, str]]:
    """The console of the system that all tests share, and its URL."""
    port = find_free_port()
    app = create_app(shared_system, install_packages(), port)
    with serve_app(app, port) as url:
        yield app.state.console, url


@pytest.fixture
def console_url(shared_console: tuple[Console, str]) -> str:
    """The URL of the console, which knows nothing of the meters of earlier tests."""
    console, url = shared_console
    console.meters.forget()
    return url


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = find_chromium()
    if path is None:
        pytest.skip(CHROMIUM_MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, console_url: str) -> Iterator[OpenPage]:
    """Open a page of the console by its path, or of another console by its URL.

    The test fails if a page logs an error, raises an exception, or sends a request to another server.
    """
    contexts, errors = [], []

    def record_error(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(message.text)

    def check_request(request: Request, console: str) -> None:
        if not request.url.startswith((console, "data:")):
            errors.append(f"request to {request.url}")

    def open_path(
        path: str, *, narrow: bool = False, dark: bool = False, zone: str = "UTC", allow_failed_requests: bool = False
    ) -> Page:
        context = browser.new_context(
            viewport=NARROW if narrow else WIDE,  # type: ignore[arg-type] # a TypedDict
            color_scheme="dark" if dark else "light",
            timezone_id=zone,
        )
        contexts.append(context)
        page = context.new_page()
        # The browser logs each response with an error status; a test may expect one.
        page.on(
            "console",
            lambda message: (
                None if allow_failed_requests and FAILED_REQUEST.search(message.text) else record_error(message)
            ),
        )
        page.on("pageerror", lambda error: errors.append(str(error)))
        url = urljoin(console_url, path)
        page.on("request", lambda request: check_request(request, urljoin(url, "/")))
        page.goto(url)
        return page

    yield open_path
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def tenant() -> str:
    """A tenant that no other test uses: the rejected table keeps the items of other tests."""
    return f"tenant-{uuid.uuid4()}"


@pytest.fixture
def table(system: System) -> RejectedTable:
    return RejectedTable(system)


@pytest.fixture
def empty_dead_letter_queues(system: System) -> Iterator[None]:
    """Empty the dead-letter queues before and after the test."""
    queues = [system.outputs[name] for name in ("UsageDeadLetterQueueUrl", "TenantDeadLetterQueueUrl")]
    for queue in queues:
        system.client("sqs").purge_queue(QueueUrl=queue)
    yield
    for queue in queues:
        system.client("sqs").purge_queue(QueueUrl=queue)
