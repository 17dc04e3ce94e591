"""Pages of synthetic executions, in a real browser: very large ones, and hostile names and data."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import expect

from amberflo_workflows.local.system import System
from amberflo_workflows.operate.executions.model import Execution
from amberflo_workflows.operate.executions.reader import NoSuchExecution
from tests.console.axe import assert_accessible
from tests.console.conftest import OpenPage
from tests.console.sample_executions import (
    FAILED_ITEM,
    HOSTILE,
    ITEMS,
    STATES,
    execution_path,
    sample_executions,
)
from tools.console import serve_console

pytestmark = pytest.mark.emulator

# The children of an element are created after its toggle event.
_OPEN_ALL = """async () => {
  for (let closed; (closed = document.querySelector("#input-1 details:not([open])"));) {
    closed.open = true;
    await new Promise((resolve) => closed.addEventListener("toggle", resolve, {once: true}));
  }
}"""
TITLE = "list_meters failed · Metering"


@pytest.fixture(scope="module")
def samples_url(shared_system: System) -> Iterator[str]:
    """The URL of a console with synthetic executions."""
    with serve_console(shared_system, sample_executions(shared_system)) as url:
        yield url


def test_markup_in_names_and_data_stays_text(open_page: OpenPage, samples_url: str) -> None:
    page = open_page(samples_url + execution_path("hostile"))
    node = page.locator("#graph [data-state]").first
    expect(node).to_have_attribute("aria-label", f"{HOSTILE[:35]}… ✓ succeeded, Pass, {HOSTILE}")
    expect(page.locator(".facts .problem")).to_have_text(f"{HOSTILE} {HOSTILE}")
    expect(page.locator("#execution-input")).to_contain_text("12345678901234567890.10")
    node.click()
    panel = page.locator("#state")
    expect(panel.get_by_role("heading", level=2)).to_have_text(HOSTILE)
    expect(panel.locator("#input-1 summary")).to_have_count(2)
    page.evaluate(_OPEN_ALL)
    expect(panel.locator("#input-1 .json-string")).to_contain_text("<script>document.title")
    page.reload()
    expect(panel.get_by_role("heading", level=2)).to_have_text(HOSTILE)
    page.locator("#graph [data-state='Fail']").click()
    expect(panel.locator("#input-1")).to_have_text(f"not JSON {HOSTILE}")
    assert page.title() == TITLE
    assert page.locator("main script, main img").count() == 0


def test_large_data_is_rendered_when_it_is_opened(open_page: OpenPage, samples_url: str) -> None:
    page = open_page(samples_url + execution_path("hostile") + f"?state={'N' * 80}", narrow=True)
    tree = page.locator("#input-1")
    expect(tree.locator("summary")).to_have_count(2)
    expect(tree).to_contain_text("Show all 50,002 characters")
    tree.locator("summary").nth(1).click()
    expect(tree.get_by_role("button", name="Show more (3,900 remaining)")).to_be_visible()
    expect(tree.locator("summary")).to_have_count(102)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert_accessible(page)


def test_the_failed_item_of_many_comes_first_and_can_be_opened(open_page: OpenPage, samples_url: str) -> None:
    page = open_page(samples_url + execution_path("map") + "?state=Each")
    expect(page.locator("#graph [data-state='Each'] .status-text")).to_have_text(f"✗ failed, {ITEMS:,} items, 1 failed")
    expect(page.locator("#graph [data-state='One'] .status-text")).to_have_text("✗ 1 failed, ✓ 9,999 succeeded")
    rows = page.locator("#state .items tbody tr")
    expect(rows.first).to_contain_text(f"item {FAILED_ITEM}")
    expect(rows).to_have_count(51)
    rows.last.get_by_role("button").click()
    expect(rows).to_have_count(101)
    page.get_by_text("Event history").click()
    events = page.locator("#history tbody tr")
    expect(events).to_have_count(201)
    events.last.get_by_role("button").click()
    expect(events).to_have_count(401)
    assert_accessible(page)
    rows.first.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"list_meters item Each:{FAILED_ITEM}")
    expect(page.locator(".lead")).to_contain_text("failed")
    page.locator("#graph [data-state='One']").click()
    expect(page.locator("#input-1")).to_contain_text(f'"item": {FAILED_ITEM}')
    page.get_by_role("link", name="Show the parent execution").click()
    expect(page.locator("#graph [data-state='Each']")).to_be_visible()


def test_draws_five_hundred_states(open_page: OpenPage, samples_url: str) -> None:
    page = open_page(samples_url + execution_path("long"))
    expect(page.locator("#graph [data-state]")).to_have_count(STATES)
    expect(page.locator(".bars tbody tr")).to_have_count(201)
    page.locator(".bars tbody button").click()
    expect(page.locator(".bars tbody tr")).to_have_count(401)
    page.locator(f"#graph [data-state='State{STATES - 1}']").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#state").get_by_role("heading", level=2)).to_have_text(f"State{STATES - 1}")


@pytest.mark.parametrize(
    ("name", "text"), [("Aborted", "■ aborted"), ("TimedOut", "⧖ timed-out")], ids=["aborted", "timed out"]
)
def test_each_status_has_a_sign_and_a_text(open_page: OpenPage, samples_url: str, name: str, text: str) -> None:
    page = open_page(samples_url + execution_path(name))
    expect(page.locator("#graph [data-state='Work'] .status-text")).to_have_text(text)
    expect(page.locator("#graph [data-state='Rest'] .status-text")).to_have_text("· not reached")
    expect(page.locator(".lead")).to_contain_text(text.split()[1])
    page.locator("#graph [data-state='Work']").click()
    expect(page.locator("#state .attempts tbody")).to_have_count(1)
    expect(page.get_by_role("group", name="Payload of the task")).to_contain_text('"request": "of the task"')
    assert_accessible(page)


def test_waits_for_the_logs_of_a_new_execution(
    shared_system: System, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = sample_executions(shared_system)
    machine = replace(samples.machines.get("list_meters"), arn="arn:aws:states:us-east-1:1:stateMachine:Machine")
    vars(machine)["_described"] = {"type": "EXPRESS"}
    monkeypatch.setattr(samples.machines, "get_by_execution", lambda _: machine)
    monkeypatch.setattr(samples, "get", _raise_no_such_execution)
    with serve_console(shared_system, samples) as url:
        page = open_page(url + execution_path("Aborted"))
        expect(page.get_by_role("heading", level=1)).to_have_text("Waiting for logs")
        assert_accessible(page)
        monkeypatch.undo()
        expect(page.locator(".lead")).to_contain_text("aborted", timeout=15_000)
        page.goto("about:blank")


def _raise_no_such_execution(arn: str) -> Execution:
    raise NoSuchExecution(f"Nothing is logged of {arn}.")
