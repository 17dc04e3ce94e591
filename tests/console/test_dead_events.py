"""The pages of dead events, in a real browser, and the counts of queued and dead events."""

import json
import uuid

import pytest
from playwright.sync_api import expect

from amberflo_workflows.console.counts import fetch_counts
from amberflo_workflows.console.state import Console
from amberflo_workflows.local.system import System
from amberflo_workflows.operate.rejected.item_filter import ItemFilter
from amberflo_workflows.operate.rejected.table import RejectedTable
from tests.conftest import sandbox_of
from tests.console.axe import assert_accessible
from tests.console.conftest import OpenPage
from tests.console.rejected_samples import HOSTILE, METER, create_rejected, fetch_totals, send_dead_event
from tests.polling import wait_until
from tests.workflows.runner import Runner

pytestmark = [
    pytest.mark.emulator,
    pytest.mark.usefixtures("empty_dead_letter_queues"),
    pytest.mark.meters("api-calls"),
]


def test_a_dead_event_is_shown_and_redriven(
    system: System, table: RejectedTable, tenant: str, open_page: OpenPage
) -> None:
    send_dead_event(system, {"tenantId": tenant, "meterApiName": METER, "meterValue": 4, "note": HOSTILE})
    page = open_page(f"rejected/dead?tenant={tenant}")
    page.locator("[data-row]").click()
    expect(page.locator(".original")).to_contain_text(json.dumps(HOSTILE))
    expect(page.get_by_text("No attempt to process it is known.")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("button", name="Redrive…").click()
    page.get_by_role("dialog").get_by_role("button", name="Redrive 1").click()
    expect(page.locator("#result .success")).to_contain_text("1 event redriven.")
    assert wait_until(lambda: fetch_totals(table) == {tenant: 4})


def test_dead_events_of_both_queues_are_dropped_with_a_reason(
    system: System, table: RejectedTable, tenant: str, open_page: OpenPage
) -> None:
    send_dead_event(system, {"records": [{"tenantId": tenant}, "junk"]})
    send_dead_event(system, {"tenantId": tenant}, "onboardingRequest", "TenantDeadLetterQueueUrl")
    page = open_page("rejected/dead")
    rows = page.locator(".rejected tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.filter(has_text="onboardingRequest")).to_contain_text(tenant)
    expect(rows.filter(has_text="2 usages")).to_contain_text(tenant)
    expect(page.locator(".counts div").last).to_have_text("Dead tenant events 1")
    assert_accessible(page)
    page.get_by_label("Select all").check()
    page.get_by_role("button", name="Drop…").click()
    dialog = page.get_by_role("dialog", name="Drop 2 dead events?")
    dialog.get_by_label("Reason (optional, saved in the history)").fill("test reason")
    dialog.get_by_role("button", name="Drop 2").click()
    expect(page.locator("#result .success")).to_contain_text("2 events dropped.")
    expect(page.get_by_text("No dead events.")).to_be_visible()
    items = [item for item in table.list_items(ItemFilter(("dropped",))) if tenant in str(item.original)]
    assert [item.history[-1]["note"] for item in items] == ["test reason"] * 2
    # The event is in the list of rejected usage, without any actions.
    page = open_page(f"rejected/{items[0].id}")
    expect(page.get_by_text("This event was dropped.")).to_be_visible()
    expect(page.get_by_role("button", name="Redrive")).to_have_count(0)


def test_the_page_of_a_dead_event_says_why_and_links_the_execution(
    system: System, tenant: str, open_page: OpenPage
) -> None:
    event = {"id": str(uuid.uuid4()), "detail-type": "onboardingRequest", "detail": {"tenantId": tenant}}
    sandbox_of(system).set_faults([{"kind": "status", "status": 503, "path": "/customers*"}])
    Runner(system, endpoint=None).run("create_customer", event)
    page = open_page(f"rejected/dead?tenant={tenant}")
    page.locator("[data-row]").click()
    row = page.locator("table tbody tr")
    expect(row.locator(".name")).to_contain_text("AmberfloUnavailable: ")
    assert_accessible(page)
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    row.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("create_customer")


def test_an_event_that_eventbridge_could_not_deliver_has_its_reason(
    system: System, tenant: str, open_page: OpenPage
) -> None:
    """The emulator delivers all events, so the message is written here as EventBridge's documentation has it."""
    attributes = {"ERROR_CODE": "NO_PERMISSIONS", "ERROR_MESSAGE": "Not authorized.", "RETRY_ATTEMPTS": "0"}
    system.client("sqs").send_message(
        QueueUrl=system.outputs["TenantDeadLetterQueueUrl"],
        MessageBody=json.dumps({"detail-type": "onboardingRequest", "detail": {"tenantId": tenant}}),
        MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
    )
    page = open_page(f"rejected/dead?tenant={tenant}")
    page.locator("[data-row]").click()
    expect(page.get_by_text("EventBridge could not deliver it to its target: NO_PERMISSIONS.")).to_be_visible()


def test_a_tenant_event_is_redriven_to_its_workflow(system: System, tenant: str, open_page: OpenPage) -> None:
    send_dead_event(
        system, {"tenantId": tenant, "email": "a@example.com"}, "onboardingRequest", "TenantDeadLetterQueueUrl"
    )
    page = open_page("rejected/dead")
    page.get_by_label("Select all").check()
    page.get_by_role("button", name="Redrive…").click()
    page.get_by_role("dialog").get_by_role("button", name="Redrive 1").click()
    expect(page.locator("#result .success")).to_be_visible()
    assert wait_until(lambda: tenant in sandbox_of(system).customers())


def test_counts_rejected_usage_and_dead_events(system: System, table: RejectedTable, tenant: str) -> None:
    console = Console(system, "token")
    before = fetch_counts(console)
    create_rejected(table, tenant, {}, {"n": 2})
    send_dead_event(system, {"tenantId": tenant})
    after = fetch_counts(console)
    assert (after.rejected - before.rejected, after.dead_usage, after.dead_tenant_events) == (2, 1, 0)
    assert (after.waiting, after.in_flight) == (0, 0)
