"""The overview page, in a real browser."""

import uuid

import pytest
import requests
from playwright.sync_api import expect

from amberflo_workflows.infra.operations import OPERATIONS
from amberflo_workflows.local.system import System
from tests.conftest import sandbox_of
from tests.console.axe import assert_accessible
from tests.console.conftest import OpenPage
from tests.entrypoints.calls import Api

pytestmark = pytest.mark.emulator

LABEL = "<script>document.title='taken over'</script>"


def _create_meter(system: System) -> str:
    name = f"m-{uuid.uuid4()}"
    body = {"label": LABEL, "meterApiName": name, "meterType": "sum_of_all_usage"}
    assert Api(system).call("POST", "meters", body).status == 201
    return name


def _fail(system: System) -> str:
    """Run an execution of list_meters that fails; returns its name."""
    sandbox_of(system).set_faults([{"kind": "status", "status": 503}])
    response = Api(system).call("GET", "meters")
    sandbox_of(system).clear_faults()
    assert response.status == 502
    return str(response.headers["x-execution-arn"]).split(":")[7]


def test_each_workflow_has_a_card_and_failures_come_first(system: System, open_page: OpenPage) -> None:
    failed = _fail(system)
    page = open_page("")
    cards = page.locator("article.card")
    expect(cards).to_have_count(len(OPERATIONS))
    expect(page.locator(".miniature svg")).to_have_count(len(OPERATIONS))
    assert page.locator("#miniature-ingest_usage rect").count() > page.locator("#miniature-get_meter rect").count() > 3
    card = page.locator("#card-list_meters")
    expect(card).to_contain_text("failed")
    assert "has-failed" in (cards.first.get_attribute("class") or "")
    card.locator(".failures a").first.click()
    expect(page.locator("main")).to_contain_text(failed)


def test_new_executions_appear_without_a_reload(system: System, open_page: OpenPage) -> None:
    page = open_page("")
    card = page.locator("#card-create_meter")
    succeeded = card.locator(".tally a", has_text="succeeded")
    before = int(succeeded.inner_text().split()[0]) if succeeded.count() else 0
    _create_meter(system)
    expect(succeeded).to_contain_text(f"{before + 1} ✓")
    expect(card.locator(".miniature svg")).to_have_count(1)


def test_responses_with_an_error_are_counted_apart_from_the_others(system: System, open_page: OpenPage) -> None:
    assert Api(system).call("GET", f"meters/{uuid.uuid4()}").status == 404
    page = open_page("")
    count = page.locator("#card-get_meter .tally a", has_text="responded 404")
    expect(count).to_be_visible()
    count.click()
    expect(page.locator("tbody tr").first).to_contain_text("succeeded · 404 Not Found")


def test_shows_the_usage_of_each_meter_today(system: System, open_page: OpenPage) -> None:
    name = _create_meter(system)
    usage = {"tenantId": "acme", "meterApiName": name, "meterValue": 1234.5}
    assert Api(system).call("POST", "ingest", usage).status == 200
    sandbox_of(system).create_meters("a-meter-without-usage")
    sandbox_of(system).clear_requests()
    page = open_page("")
    page.get_by_role("button", name="Show usage").click()
    row = page.locator("tr", has_text=name)
    expect(row).to_contain_text("1,234.5", timeout=15_000)
    # The meters with usage come first, and one query is for all.
    assert name in page.locator("#usage-today tbody tr").first.inner_text()
    assert {call["path"] for call in sandbox_of(system).requests()["counts"]} == {"/meters", "/usage/all"}
    expect(row).to_contain_text(LABEL)
    assert page.title() == "Overview · Metering"


def test_opening_the_overview_starts_no_execution(system: System, open_page: OpenPage) -> None:
    sandbox_of(system).clear_requests()
    page = open_page("")
    expect(page.get_by_role("button", name="Show usage")).to_be_visible()
    assert sandbox_of(system).requests()["counts"] == []


def test_usage_that_cannot_be_read_says_why_and_can_be_tried_again(system: System, open_page: OpenPage) -> None:
    name = _create_meter(system)
    page = open_page("")
    sandbox_of(system).set_faults([{"kind": "status", "status": 503}])
    page.get_by_role("button", name="Show usage").click()
    today = page.locator("#usage-today")
    expect(today).to_contain_text("The usage cannot be shown. The API responded with 502", timeout=30_000)
    assert_accessible(page)
    sandbox_of(system).clear_faults()
    page.get_by_role("button", name="Try again").click()
    expect(today.locator("tr", has_text=name)).to_be_visible(timeout=30_000)


@pytest.mark.parametrize(("narrow", "dark"), [(False, False), (True, True)])
@pytest.mark.parametrize("path", ["", "executions"], ids=["overview", "executions"])
def test_the_page_is_accessible_and_fits(
    system: System, open_page: OpenPage, path: str, narrow: bool, dark: bool
) -> None:
    _fail(system)
    page = open_page(path, narrow=narrow, dark=dark)
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_keyboard_shortcuts_open_pages_and_move_between_rows(system: System, open_page: OpenPage) -> None:
    _create_meter(system)
    # This page has no live parts, unlike the overview.
    page = open_page("start")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_hidden()
    # A browser may keep the focus in the dialog for a short time after it was closed.
    for key in ("g", "e"):
        page.locator("#help button").dispatch_event("keydown", {"key": key})
    expect(page.get_by_role("heading", name="Executions")).to_be_visible()
    # Keyboard shortcuts work after the scripts were loaded.
    page.wait_for_load_state()
    page.keyboard.press("/")
    expect(page.get_by_label("Name, input or error contains")).to_be_focused()
    # Letters in a field are not shortcuts.
    page.keyboard.type("gu?")
    expect(page.get_by_label("Name, input or error contains")).to_have_value("gu?")
    page.locator("h1").click()
    page.keyboard.press("j")
    expect(page.locator("[data-row]").first).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/executions/arn*")


def test_an_invalid_request_shows_an_error_page(console_url: str) -> None:
    response = requests.get(f"{console_url}executions?status=wonderful", timeout=30)
    assert (response.status_code, "Unknown status &#39;wonderful&#39;." in response.text) == (400, True)
    assert requests.get(f"{console_url}nothing-here", timeout=30).status_code == 404
    # For a part of a page the error is one line of text, which the page shows.
    part = requests.get(f"{console_url}executions/older?status=no", headers={"HX-Request": "true"}, timeout=30)
    assert (part.status_code, part.text) == (
        400,
        "Unknown status 'no'. Valid statuses: running, succeeded, failed, timed-out, aborted, caught.",
    )
