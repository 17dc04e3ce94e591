"""The pages of tenants, in a real browser."""

import time

import pytest
from playwright.sync_api import expect

from amberflo_workflows.local.system import System
from tests.cli.local_metering import count_usages, create_meter
from tests.conftest import sandbox_of
from tests.console.axe import assert_accessible
from tests.console.conftest import OpenPage
from tests.entrypoints.calls import Api
from tests.workflows.runner import Runner

pytestmark = pytest.mark.emulator

HOSTILE = "<img src=x onerror=\"document.title='taken over'\">"


def _onboard(system: System, tenant: str, **members: str) -> None:
    event = {"id": f"e-{tenant}", "time": "2026-11-01T00:00:00Z", "detail": {"tenantId": tenant, **members}}
    assert Runner(system, endpoint=None).run("create_customer", event).status == "SUCCEEDED"


def test_the_list_leads_to_a_tenant_with_all_that_is_known_of_it(
    system: System, open_page: OpenPage, tenant: str
) -> None:
    create_meter(system, "api-calls", unit="calls")
    _onboard(system, tenant, tenantName=HOSTILE, tier="gold")
    _onboard(system, "other")
    count_usages(system, [{"tenantId": tenant, "meterApiName": "api-calls", "meterValue": 7}])
    usages = [{"tenantId": tenant, "meterApiName": "no-such-meter", "meterValue": 1}]
    assert Api(system).call("POST", "ingest", {"records": usages}).status == 200
    page = open_page("tenants")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_label("Id, name or email contains").fill("TAKEN OVER")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name=tenant).click()
    for text in ("ONBOARDING", HOSTILE, "gold", "2026-11-01 00:00:00 UTC"):
        expect(page.locator(".facts")).to_contain_text(text)
    main = page.locator("main")
    expect(main.get_by_role("link", name="create_customer")).to_be_visible()
    expect(main.get_by_role("link", name="no-such-meter")).to_be_visible()
    page.get_by_role("button", name="Show usage").click()
    expect(page.locator("#tenant-usage tbody tr")).to_contain_text("7 calls")
    assert f"{time.strftime('%Y-%m-', time.gmtime())}" in (page.locator(".spark").get_attribute("aria-label") or "")
    assert_accessible(page)


def test_a_tenant_without_a_customer_still_has_a_page(system: System, open_page: OpenPage) -> None:
    page = open_page("tenants/a%2Fb c")
    expect(page.get_by_text("Amberflo has no customer for this tenant")).to_be_visible()
    expect(page.get_by_text("No usage of this tenant is rejected")).to_be_visible()
    assert sandbox_of(system).totals("api-calls") == {}


def test_what_amberflo_fails_to_answer_is_said(system: System, open_page: OpenPage) -> None:
    sandbox_of(system).set_faults([{"kind": "status", "status": 503}])
    for path, text in (("tenants", "The tenants cannot be shown."), ("tenants/acme", "The customer cannot be shown.")):
        page = open_page(path)
        expect(page.get_by_role("alert")).to_contain_text(f"{text} The API responded with 502")
        expect(page.get_by_role("link", name="Try again")).to_be_visible()


@pytest.mark.parametrize(("narrow", "dark"), [(False, False), (True, True)])
def test_the_pages_are_accessible_and_fit(system: System, open_page: OpenPage, narrow: bool, dark: bool) -> None:
    _onboard(system, "x" * 100, tenantName="y" * 150)
    for path in ("tenants", f"tenants/{'x' * 100}"):
        page = open_page(path, narrow=narrow, dark=dark)
        expect(page.get_by_text("Loading executions")).to_have_count(0)
        assert_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
