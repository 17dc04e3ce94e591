"""The page of one rejected usage, in a real browser."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from amberflo_workflows.operate.rejected.table import RejectedTable
from tests.conftest import sandbox_of
from tests.console.axe import assert_accessible
from tests.console.conftest import OpenPage
from tests.console.rejected_samples import HOSTILE, METER, create_rejected, fetch_totals, reload_item

pytestmark = [pytest.mark.emulator, pytest.mark.meters("api-calls")]


def _status(page: Page) -> str:
    return page.locator(".facts .status-label").inner_text()


def test_edited_usage_is_counted_once_and_shows_its_history(
    table: RejectedTable, tenant: str, open_page: OpenPage
) -> None:
    (item,) = create_rejected(table, tenant, {"meterValue": "five", "region": "eu"})
    page = open_page(f"rejected/{item.id}")
    execution = page.locator(".facts").get_by_role("link", name="this execution")
    expect(execution).to_have_attribute("href", re.compile("^/executions/arn"))
    expect(page.get_by_label("meterValue (JSON)")).to_have_value('"five"')
    page.get_by_label("meterValue (JSON)").fill("5")
    page.get_by_label("Other members (JSON)").fill('{"region": "us", "plan": "gold"}')
    page.get_by_role("button", name="Redrive").click()
    expect(page.locator("#result .success")).to_contain_text("Counted.")
    expect(page.locator("#result")).to_be_focused()
    assert _status(page).endswith("redriven")
    assert page.locator(".history strong").all_inner_texts() == ["edited", "sent", "counted"]
    expect(page.get_by_role("button", name="Redrive")).to_have_count(0)
    assert fetch_totals(table) == {tenant: 5}
    usage = reload_item(table, item).original["usage"]
    assert (usage["meterValue"], usage["region"], usage["plan"]) == (5, "us", "gold")
    assert reload_item(table, item).original["eventId"] == item.original["eventId"]


def test_usage_that_is_rejected_again_can_be_edited_again(
    table: RejectedTable, tenant: str, open_page: OpenPage
) -> None:
    (item,) = create_rejected(table, tenant, {"meterValue": "five"})
    page = open_page(f"rejected/{item.id}")
    page.get_by_label("meterApiName").fill("m" * 60)
    page.get_by_role("button", name="Redrive").click()
    expect(page.locator("#result .problem")).to_contain_text("Rejected again:")
    page.get_by_label("meterApiName").fill(METER)
    page.get_by_label("meterValue (JSON)").fill("7")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#result .success")).to_contain_text("Saved. The usage was not redriven.")
    assert fetch_totals(table) == {}
    page.get_by_role("button", name="Redrive").click()
    expect(page.locator("#result .success")).to_contain_text("Counted.")
    assert fetch_totals(table) == {tenant: 7}


def test_invalid_json_shows_an_error_and_stays_in_the_editor(
    table: RejectedTable, tenant: str, open_page: OpenPage
) -> None:
    (item,) = create_rejected(table, tenant, f"a text of {tenant}")
    page = open_page(f"rejected/{item.id}")
    editor = page.get_by_label("Usage (JSON)")
    for text, message in (("{'a'}", "Invalid JSON"), ("[1]", "must be an object")):
        editor.fill(text)
        page.get_by_role("button", name="Redrive").click()
        expect(page.locator("#result .problem")).to_contain_text(message)
        expect(editor).to_have_value(text)
    assert reload_item(table, item).history == []
    editor.fill(json.dumps({"tenantId": tenant, "meterApiName": METER, "meterValue": 2}))
    page.get_by_role("button", name="Redrive").click()
    expect(page.locator("#result .success")).to_be_visible()
    assert fetch_totals(table) == {tenant: 2}


def test_usage_with_an_unknown_result_can_only_be_redriven_unchanged(
    table: RejectedTable, tenant: str, open_page: OpenPage
) -> None:
    (item,) = create_rejected(table, tenant, {"meterValue": "five"})
    system: Any = table.deployment
    sandbox = sandbox_of(system)
    sandbox.set_faults([{"kind": "accept_then_drop", "path": "/ingest"}])
    page = open_page(f"rejected/{item.id}")
    page.get_by_label("meterValue (JSON)").fill("5")
    page.get_by_role("button", name="Redrive").click()
    expect(page.locator("#result .problem")).to_contain_text("ingest_usage failed")
    sandbox.clear_faults()
    expect(page.get_by_text("an edit could count it twice")).to_be_visible()
    expect(page.get_by_label("meterValue (JSON)")).to_have_count(0)
    page.get_by_role("button", name="Redrive unchanged").click()
    expect(page.locator("#result .success")).to_contain_text("Counted.")
    assert fetch_totals(table) == {tenant: 5}


def test_a_concurrent_edit_is_not_overwritten(table: RejectedTable, tenant: str, open_page: OpenPage) -> None:
    (item,) = create_rejected(table, tenant, {"meterValue": "five"})
    page = open_page(f"rejected/{item.id}")
    table.edit(item, {**item.original["usage"], "meterValue": 1})
    page.get_by_label("meterValue (JSON)").fill("5")
    page.get_by_role("button", name="Redrive").click()
    expect(page.locator("#result .problem")).to_contain_text("Someone else changed")
    expect(page.get_by_label("meterValue (JSON)")).to_have_value("5")
    assert fetch_totals(table) == {}


def test_dropping_asks_for_confirmation_and_keeps_the_reason(
    table: RejectedTable, tenant: str, open_page: OpenPage
) -> None:
    (item,) = create_rejected(table, tenant, {"meterValue": "five"})
    page = open_page(f"rejected/{item.id}")
    page.get_by_role("button", name="Drop…").click()
    dialog = page.get_by_role("dialog", name="Drop this usage?")
    assert_accessible(page)
    dialog.get_by_role("button", name="Cancel").click()
    assert reload_item(table, item).status == "rejected"
    page.get_by_role("button", name="Drop…").click()
    dialog.get_by_label("Reason (optional, saved in the history)").fill(HOSTILE)
    dialog.get_by_role("button", name="Drop", exact=True).click()
    expect(page.locator("#result .success")).to_contain_text("Dropped.")
    expect(page.locator(".history")).to_contain_text(f"dropped: {HOSTILE}")
    assert (reload_item(table, item).status, fetch_totals(table)) == ("dropped", {})
