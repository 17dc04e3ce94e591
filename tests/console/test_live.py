"""Live parts of pages: what the stream sends, and what the page shows when a part cannot be loaded."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from playwright.sync_api import expect
from starlette.requests import Request

from amberflo_workflows.console import live
from amberflo_workflows.operate.errors import OperatorError
from tests.console.conftest import OpenPage

Render = Callable[[], tuple[live.Html, bool]]


def _read_stream(*renders: Render) -> list[tuple[str, str]]:
    """Return the events of a stream whose rounds have these results."""
    rounds = iter(renders)

    async def wait() -> Any:
        await asyncio.sleep(60)

    async def read() -> str:
        request = Request({"type": "http"}, receive=wait)
        response = live.stream(request, lambda: next(rounds)(), interval_seconds=0, timeout_seconds=0.2)  # noqa: PLW0108 - each round has its own
        return "".join([str(part) async for part in response.body_iterator])

    # The browser of other tests has an event loop in this thread.
    with ThreadPoolExecutor() as pool:
        text = pool.submit(lambda: asyncio.run(read())).result()
    events = [event.partition("\n") for event in text.split("\n\n") if event]
    return [(name.removeprefix("event: "), data.removeprefix("data:").strip()) for name, _, data in events]


def _fail() -> tuple[live.Html, bool]:
    raise OperatorError("Amberflo is unavailable.")


def _hang() -> tuple[live.Html, bool]:
    time.sleep(0.5)
    return "late", False


def test_a_stream_sends_what_changed_in_each_part() -> None:
    first, second = {"concerns": "1", "message": "a"}, {"concerns": "1", "message": "b"}
    assert _read_stream(lambda: (first, False), lambda: (second, True)) == [
        ("concerns", "1"),
        ("message", "a"),
        ("message", "b"),
        ("end", ""),
    ]


@pytest.mark.parametrize(("render", "reason"), [(_fail, "Amberflo is unavailable."), (_hang, "no response within 0 s")])
def test_a_part_that_cannot_be_rendered_says_why_and_goes_on(render: Render, reason: str) -> None:
    name, text = (events := _read_stream(render, render, lambda: ("a", True)))[0]
    assert (name, reason in text) == ("problem", True)
    assert events[1:] == [("problem", ""), ("message", "a"), ("end", "")]


@pytest.mark.emulator
@pytest.mark.usefixtures("system")
def test_a_part_that_cannot_be_loaded_says_why_and_can_be_tried_again(open_page: OpenPage) -> None:
    page = open_page("", allow_failed_requests=True)
    page.route("**/rejected/dead/list*", lambda route: route.fulfill(status=502, body="AWS: no."))
    page.goto(page.url + "rejected/dead")
    part = page.locator("#list")
    expect(part.get_by_role("alert")).to_have_text("AWS: no.")
    expect(part).not_to_contain_text("Loading")
    page.unroute_all()
    part.get_by_role("button", name="Try again").click()
    expect(part.get_by_role("alert")).to_have_count(0)
    expect(part).to_contain_text("dead")


@pytest.mark.emulator
@pytest.mark.usefixtures("system")
def test_a_live_part_says_that_it_is_not_up_to_date(open_page: OpenPage) -> None:
    page = open_page("", allow_failed_requests=True)
    body = "event: problem\ndata: AWS: no.\n\n"
    page.route("**/live/executions*", lambda route: route.fulfill(content_type="text/event-stream", body=body))
    page.goto(page.url + "executions")
    expect(page.locator("[data-live-problem]")).to_contain_text("This is not up to date: ")
    page.unroute_all()
    expect(page.locator("[data-live-problem]")).to_be_hidden()
