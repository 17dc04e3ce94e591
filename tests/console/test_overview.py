"""The first page, in a real browser."""

import uuid

import pytest
import requests
from playwright.sync_api import expect

from amberflo_workflows.local.system import System
from tests.conftest import sandbox_of
from tests.console.axe import assert_accessible
from tests.console.conftest import OpenPage, keep_screenshot
from tests.entrypoints.calls import Api

pytestmark = pytest.mark.emulator

LABEL = "<script>document.title='taken over'</script>"


def _meter(system: System) -> str:
    name = f"m-{uuid.uuid4()}"
    body = {"label": LABEL, "meterApiName": name, "meterType": "sum_of_all_usage"}
    assert Api(system).call("POST", "meters", body).status == 201
    return name


def _fail(system: System) -> str:
    """An execution of list_meters that fails; gives its name."""
    sandbox_of(system).set_faults([{"kind": "status", "status": 503}])
    answer = Api(system).call("GET", "meters")
    sandbox_of(system).clear_faults()
    assert answer.status == 502
    return str(answer.headers["x-execution-arn"]).split(":")[7]


def test_each_workflow_has_a_card_with_its_graph_and_failures_come_first(system: System, open_page: OpenPage) -> None:
    failed = _fail(system)
    page = open_page("")
    cards = page.locator("article.card")
    expect(cards).to_have_count(11)
    expect(page.locator(".miniature svg")).to_have_count(11)
    assert page.locator("#miniature-ingest_usage rect").count() > page.locator("#miniature-get_meter rect").count() > 3
    card = page.locator("#card-list_meters")
    expect(card).to_contain_text("failed")
    assert "has-failed" in (cards.first.get_attribute("class") or "")
    card.locator(".worst a").first.click()
    expect(page.locator("main")).to_contain_text(failed)


def test_what_happens_shows_by_itself(system: System, open_page: OpenPage) -> None:
    page = open_page("")
    card = page.locator("#card-create_meter")
    succeeded = card.locator(".tally a", has_text="succeeded")
    before = int(succeeded.inner_text().split()[0]) if succeeded.count() else 0
    _meter(system)
    expect(succeeded).to_contain_text(f"{before + 1} ✓")
    expect(card.locator(".miniature svg")).to_have_count(1)


def test_todays_usage_of_each_meter_is_told(system: System, open_page: OpenPage) -> None:
    name = _meter(system)
    usage = {"tenantId": "acme", "meterApiName": name, "meterValue": 1234.5}
    assert Api(system).call("POST", "ingest", usage).status == 200
    page = open_page("")
    row = page.locator("tr", has_text=name)
    expect(row).to_contain_text("1,234.5", timeout=15_000)
    expect(row).to_contain_text(LABEL)
    assert page.title() == "Overview · Metering"
    keep_screenshot(page, "overview")


@pytest.mark.parametrize("narrow", [False, True], ids=["wide", "narrow"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("path", ["", "executions"], ids=["overview", "executions"])
def test_it_is_accessible_and_fits(system: System, open_page: OpenPage, path: str, dark: bool, narrow: bool) -> None:
    _fail(system)
    page = open_page(path, narrow=narrow, dark=dark)
    expect(page.get_by_text("Asking for the usage of each meter")).to_have_count(0, timeout=15_000)
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    keep_screenshot(page, f"{path or 'overview'}-{'narrow' if narrow else 'wide'}-{'dark' if dark else 'light'}")


def test_the_keys_lead_from_page_to_page_and_row_to_row(system: System, open_page: OpenPage) -> None:
    _meter(system)
    # A page that is at rest: the overview is drawn anew all the time.
    page = open_page("start")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
    # A browser may leave the focus in the dialog for a moment after it has closed.
    for key in ("g", "e"):
        page.locator("#help button").dispatch_event("keydown", {"key": key})
    expect(page.get_by_role("heading", name="Executions")).to_be_visible()
    # Before its scripts are there a page knows no keys.
    page.wait_for_load_state()
    page.keyboard.press("/")
    expect(page.get_by_label("Text in the input")).to_be_focused()
    # A letter that is written is no key.
    page.keyboard.type("gu?")
    expect(page.get_by_label("Text in the input")).to_have_value("gu?")
    page.locator("h1").click()
    page.keyboard.press("j")
    expect(page.locator("[data-row]").first).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/executions/arn*")


def test_what_cannot_be_shown_is_told_in_a_page(console_url: str) -> None:
    answer = requests.get(f"{console_url}executions?status=wonderful", timeout=30)
    assert (answer.status_code, "There is no outcome &#39;wonderful&#39;." in answer.text) == (400, True)
    assert requests.get(f"{console_url}nothing-here", timeout=30).status_code == 404
    # A part of a page is told in the one line that the page then shows.
    part = requests.get(f"{console_url}executions/older?status=no", headers={"HX-Request": "true"}, timeout=30)
    assert (part.status_code, part.text) == (400, "There is no outcome 'no'.")
