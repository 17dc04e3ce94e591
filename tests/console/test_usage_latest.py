"""The page of the latest usages, in a real browser."""

import pytest
from playwright.sync_api import expect

from amberflo_workflows.local.system import System
from tests.cli.local_metering import count_usages
from tests.conftest import sandbox_of
from tests.console.axe import assert_accessible
from tests.console.conftest import OpenPage
from tests.entrypoints.calls import Api

pytestmark = [pytest.mark.emulator, pytest.mark.meters("api-calls", "storage")]

HOSTILE = "<img src=x onerror=\"document.title='taken over'\">"


def test_a_usage_appears_with_what_became_of_it(system: System, open_page: OpenPage, tenant: str) -> None:
    page = open_page(f"usage/latest?tenant={tenant}")
    rows = page.locator("tbody tr")
    expect(rows).to_contain_text("No usage matches the filters")
    sandbox_of(system).clear_requests()
    usage = {"tenantId": tenant, "meterApiName": "api-calls", "meterValue": 1234567.5, "uniqueId": HOSTILE}
    count_usages(system, [usage, {**usage, "tenantId": "other"}])
    expect(rows).to_have_count(1)
    for text in ("✓ counted", "1,234,567.5", HOSTILE):
        expect(rows.first).to_contain_text(text)
    rejected = {**usage, "meterApiName": "no-such-meter", "uniqueId": "rejected-1"}
    assert Api(system).call("POST", "ingest", {"records": [rejected]}).status == 200
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("✗ rejected")
    page.get_by_label("Meter").fill("storage")
    page.get_by_role("button", name="Apply").click()
    expect(rows).to_contain_text("No usage matches the filters")
    # Reading starts no execution: Amberflo was only called by those that count.
    assert {call["path"] for call in sandbox_of(system).requests()["counts"]} <= {"/ingest", "/meters"}


@pytest.mark.parametrize(("narrow", "dark"), [(False, False), (True, True)])
def test_the_page_is_accessible_and_fits(
    system: System, open_page: OpenPage, tenant: str, narrow: bool, dark: bool
) -> None:
    usage = {"tenantId": tenant, "meterApiName": "api-calls", "meterValue": 1, "uniqueId": "u" * 150}
    count_usages(system, [usage])
    page = open_page(f"usage/latest?tenant={tenant}", narrow=narrow, dark=dark)
    expect(page.locator("tbody tr")).to_contain_text("counted")
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
