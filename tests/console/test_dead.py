"""Dead events, in a real browser; and how many wait."""

import json

import pytest
from playwright.sync_api import expect

from amberflo_workflows.console.counts import counts
from amberflo_workflows.console.state import Console
from amberflo_workflows.local.system import System
from amberflo_workflows.operate.rejected.items import ItemFilter
from amberflo_workflows.operate.rejected.table import RejectedTable
from tests.conftest import sandbox_of
from tests.console.axe import assert_accessible
from tests.console.conftest import OpenPage, keep_screenshot
from tests.console.refusing_api import HOSTILE, METER, die, refuse, totals
from tests.polling import soon

pytestmark = pytest.mark.emulator


def test_a_dead_event_is_shown_sent_again_and_counted(
    dead: System, table: RejectedTable, tenant: str, open_page: OpenPage
) -> None:
    die(dead, {"tenantId": tenant, "meterApiName": METER, "meterValue": 4, "note": HOSTILE})
    page = open_page(f"rejected/dead?tenant={tenant}")
    page.locator("[data-row]").click()
    expect(page.locator(".original")).to_contain_text(json.dumps(HOSTILE))
    assert_accessible(page)
    page.get_by_role("button", name="Redrive…").click()
    page.get_by_role("dialog").get_by_role("button", name="Redrive 1").click()
    expect(page.locator("#outcome .done")).to_contain_text("1 events on their way again.")
    assert soon(lambda: totals(table) == {tenant: 4})


def test_dead_events_of_both_queues_are_dropped_with_a_reason(
    dead: System, table: RejectedTable, tenant: str, open_page: OpenPage
) -> None:
    die(dead, {"records": [{"tenantId": tenant}, "junk"]})
    die(dead, {"tenantId": tenant}, "onboardingRequest", "TenantDeadLetterQueueUrl")
    page = open_page("rejected/dead")
    rows = page.locator(".refused tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.filter(has_text="onboardingRequest")).to_contain_text(tenant)
    expect(rows.filter(has_text="2 usages")).to_contain_text(tenant)
    expect(page.locator(".counts div").last).to_have_text("Dead tenant events 1")
    assert_accessible(page)
    keep_screenshot(page, "dead")
    page.get_by_label("All", exact=True).check()
    page.get_by_role("button", name="Drop…").click()
    question = page.get_by_role("dialog", name="Drop 2 dead events?")
    question.get_by_label("Why, for its history").fill("a test of ours")
    question.get_by_role("button", name="Drop 2").click()
    expect(page.locator("#outcome .done")).to_contain_text("2 events dropped.")
    expect(page.get_by_text("Nothing is waiting.")).to_be_visible()
    kept = [item for item in table.find(ItemFilter(("dropped",))) if tenant in str(item.original)]
    assert [item.history[-1]["note"] for item in kept] == ["a test of ours"] * 2
    # It is listed among the refused usage, and nothing can be done with it there.
    page = open_page(f"rejected/{kept[0].id}")
    expect(page.get_by_text("It was given up.")).to_be_visible()
    expect(page.get_by_role("button", name="Redrive")).to_have_count(0)


def test_a_tenant_event_is_redriven_to_its_workflow(dead: System, tenant: str, open_page: OpenPage) -> None:
    die(dead, {"tenantId": tenant, "email": "a@example.com"}, "onboardingRequest", "TenantDeadLetterQueueUrl")
    page = open_page("rejected/dead")
    page.get_by_label("All", exact=True).check()
    page.get_by_role("button", name="Redrive…").click()
    page.get_by_role("dialog").get_by_role("button", name="Redrive 1").click()
    expect(page.locator("#outcome .done")).to_be_visible()
    assert soon(lambda: tenant in sandbox_of(dead).customers())


def test_counts_tell_what_waits(dead: System, table: RejectedTable, tenant: str) -> None:
    console = Console(dead, "token")
    before = counts(console)
    refuse(table, tenant, {}, {"n": 2})
    die(dead, {"tenantId": tenant})
    now = counts(console)
    assert (now.rejected - before.rejected, now.dead_usage, now.dead_tenant_events) == (2, 1, 0)
    assert (now.waiting, now.in_flight) == (0, 0)
