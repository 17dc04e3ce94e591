"""Executions that are larger and nastier than what the real system makes, in a real browser."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import expect

from amberflo_workflows.local.system import System
from amberflo_workflows.operate.executions.model import Execution
from amberflo_workflows.operate.executions.reader import NoSuchExecution
from tests.console import live_system as made
from tests.console.axe import assert_accessible
from tests.console.conftest import OpenPage, keep_screenshot, served
from tests.console.live_system import BAD_ITEM, HOSTILE, ITEMS, STATES, path_of

pytestmark = pytest.mark.emulator

# Each is filled when it is opened, a moment later.
_OPEN_ALL = """async () => {
  for (let closed; (closed = document.querySelector("#input-1 details:not([open])"));) {
    closed.open = true;
    await new Promise((done) => closed.addEventListener("toggle", done, {once: true}));
  }
}"""
TITLE = "list_meters failed · Metering"


@pytest.fixture(scope="module")
def made_url(shared_system: System) -> Iterator[str]:
    """A console with executions that were made up; its address ends in a slash."""
    with served(shared_system, made.executions(shared_system)) as url:
        yield url


def test_names_and_data_that_would_be_markup_stay_text(open_page: OpenPage, made_url: str) -> None:
    page = open_page(made_url + path_of("nasty"))
    node = page.locator("#graph [data-state]").first
    expect(node).to_have_attribute("aria-label", f"{HOSTILE[:35]}… ✓ succeeded, Pass, {HOSTILE}")
    expect(page.locator(".facts .problem")).to_have_text(f"{HOSTILE} {HOSTILE}")
    expect(page.locator("#whole-input")).to_contain_text("12345678901234567890.10")
    node.click()
    panel = page.locator("#state")
    expect(panel.get_by_role("heading", level=2)).to_have_text(HOSTILE)
    expect(panel.locator("#input-1 summary")).to_have_count(2)
    page.evaluate(_OPEN_ALL)
    expect(panel.locator("#input-1 .json-string")).to_contain_text("<script>document.title")
    page.reload()
    expect(panel.get_by_role("heading", level=2)).to_have_text(HOSTILE)
    page.locator("#graph [data-state='Fail']").click()
    expect(panel.locator("#input-1")).to_have_text(f"no JSON {HOSTILE}")
    assert page.title() == TITLE
    assert page.locator("main script, main img").count() == 0
    keep_screenshot(page, "execution-nasty")


def test_much_data_is_drawn_as_it_is_opened(open_page: OpenPage, made_url: str) -> None:
    page = open_page(made_url + path_of("nasty") + f"?state={'N' * 80}", narrow=True)
    tree = page.locator("#input-1")
    expect(tree.locator("summary")).to_have_count(2)
    expect(tree).to_contain_text("all 50,002 characters")
    tree.locator("summary").nth(1).click()
    expect(tree.get_by_role("button", name="3,900 more")).to_be_visible()
    expect(tree.locator("summary")).to_have_count(102)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert_accessible(page)


def test_of_many_items_the_bad_one_is_first_and_each_can_be_opened(open_page: OpenPage, made_url: str) -> None:
    page = open_page(made_url + path_of("map") + "?state=Each")
    expect(page.locator("#graph [data-state='Each'] .word")).to_have_text(f"✗ failed, {ITEMS:,} items, 1 bad")
    expect(page.locator("#graph [data-state='One'] .word")).to_have_text("✗ 1 failed, ✓ 9,999 succeeded")
    rows = page.locator("#state .items tbody tr")
    expect(rows.first).to_contain_text(f"item {BAD_ITEM}")
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
    expect(page.get_by_role("heading", level=1)).to_have_text(f"list_meters item Each:{BAD_ITEM}")
    expect(page.locator(".lead")).to_contain_text("failed")
    page.locator("#graph [data-state='One']").click()
    expect(page.locator("#input-1")).to_contain_text(f'"item": {BAD_ITEM}')
    keep_screenshot(page, "execution-item")
    page.get_by_role("link", name="to its execution").click()
    expect(page.locator("#graph [data-state='Each']")).to_be_visible()


def test_five_hundred_states_are_drawn(open_page: OpenPage, made_url: str) -> None:
    page = open_page(made_url + path_of("long"))
    expect(page.locator("#graph [data-state]")).to_have_count(STATES)
    expect(page.locator(".bars tbody tr")).to_have_count(201)
    page.locator(".bars tbody button").click()
    expect(page.locator(".bars tbody tr")).to_have_count(401)
    page.locator(f"#graph [data-state='State{STATES - 1}']").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#state").get_by_role("heading", level=2)).to_have_text(f"State{STATES - 1}")


@pytest.mark.parametrize(
    ("name", "word"), [("Aborted", "■ aborted"), ("TimedOut", "⧖ timed-out")], ids=["aborted", "timed out"]
)
def test_each_outcome_has_a_sign_and_a_word(open_page: OpenPage, made_url: str, name: str, word: str) -> None:
    page = open_page(made_url + path_of(name))
    expect(page.locator("#graph [data-state='Work'] .word")).to_have_text(word)
    expect(page.locator("#graph [data-state='Rest'] .word")).to_have_text("· not reached")
    expect(page.locator(".lead")).to_contain_text(word.split()[1])
    assert_accessible(page)


def test_one_that_is_not_logged_yet_is_awaited(
    shared_system: System, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = made.executions(shared_system)
    machine = replace(known.machines.of("list_meters"), arn="arn:aws:states:us-east-1:1:stateMachine:Machine")
    vars(machine)["_described"] = {"type": "EXPRESS"}
    monkeypatch.setattr(known.machines, "of_execution", lambda _: machine)
    monkeypatch.setattr(known, "get", _not_known)
    with served(shared_system, known) as url:
        page = open_page(url + path_of("Aborted"))
        expect(page.get_by_role("heading", level=1)).to_have_text("Waiting for its log")
        assert_accessible(page)
        monkeypatch.undo()
        expect(page.locator(".lead")).to_contain_text("aborted", timeout=15_000)
        page.goto("about:blank")


def _not_known(arn: str) -> Execution:
    raise NoSuchExecution(f"Nothing is logged of {arn}.")
