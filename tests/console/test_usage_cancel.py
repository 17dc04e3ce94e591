"""The cancellation of usage on the usage page, in a real browser."""

import time

import pytest
import requests
from playwright.sync_api import Locator, Page, expect

from amberflo_workflows.local.system import System
from tests.conftest import sandbox_of
from tests.console.axe import assert_accessible
from tests.console.conftest import OpenPage
from tests.console.usage_samples import HOSTILE, HOUR, NOW, create_usage, read_cells

pytestmark = pytest.mark.emulator


@pytest.fixture
def system_with_usage(system: System) -> System:
    create_usage(system)
    return system


def _open_cancel_dialog(page: Page) -> Locator:
    """Open the confirmation dialog for a time range from five hours ago to ten minutes from now."""
    page.locator(".cancel summary").click()
    end = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 600))
    page.get_by_label("Ingested before (UTC)").fill(end)
    page.get_by_label("Ingested from (UTC)").fill(time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(NOW - 5 * HOUR)))
    page.get_by_label("Rule ID").fill("my-rule")
    page.get_by_role("button", name="Preview…").click()
    dialog = page.get_by_role("dialog", name="Cancel usage of api-calls?")
    expect(dialog).to_be_visible()
    return dialog


def test_cancelling_shows_an_estimate_and_asks_for_confirmation(system_with_usage: System, open_page: OpenPage) -> None:
    page = open_page("usage?meter=api-calls")
    dialog = _open_cancel_dialog(page)
    for text in ("The usage of all tenants", "not by the time of its ingestion", "has not ended yet", "my-rule"):
        expect(dialog).to_contain_text(text)
    assert read_cells(dialog.locator("tbody tr")) == [["acme", "20.5"], ["globex", "5"], [HOSTILE, "0.25"]]
    assert_accessible(page)
    expect(page.get_by_role("button", name="Keep usage")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    assert sandbox_of(system_with_usage).totals("api-calls") != {}
    page.get_by_role("button", name="Preview…").click()
    dialog.get_by_role("button", name="Cancel this usage").click()
    expect(page.locator("#result .success")).to_contain_text("Created rule my-rule.")
    assert sandbox_of(system_with_usage).totals("api-calls") == {}
    assert read_cells(page.locator(".changes tbody tr")) == [
        ["acme", "20.5", "0"],
        ["globex", "5", "0"],
        [HOSTILE, "0.25", "0"],
        ["All tenants", "25.75", "0"],
    ]
    page.get_by_text("API response").click()
    expect(page.locator("#result pre")).to_contain_text('"my-rule"')


@pytest.mark.usefixtures("system_with_usage")
def test_an_invalid_time_range_is_not_cancelled(console_url: str) -> None:
    response = requests.get(f"{console_url}usage/cancel?meter=api-calls&from=1h&to=2h", timeout=30)
    assert "The start of the time range must be before its end." in response.text
    assert "hx-delete" not in response.text


def test_nothing_is_cancelled_without_the_token(system_with_usage: System, console_url: str) -> None:
    params = {"meter": "api-calls", "from": "5h", "to": str(int(time.time()) + 600)}
    assert requests.delete(f"{console_url}usage", params=params, timeout=30).status_code == 403
    assert sandbox_of(system_with_usage).totals("api-calls") != {}
