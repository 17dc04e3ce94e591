"""One refused usage, in a real browser."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from amberflo_workflows.operate.rejected.table import RejectedTable
from tests.conftest import sandbox_of
from tests.console.axe import assert_accessible
from tests.console.conftest import OpenPage
from tests.console.refusing_api import HOSTILE, METER, now, refuse, totals

pytestmark = pytest.mark.emulator


def _status(page: Page) -> str:
    return page.locator(".facts .outcome").inner_text()


def test_mended_usage_is_counted_once_and_its_history_shown(
    table: RejectedTable, tenant: str, open_page: OpenPage
) -> None:
    (item,) = refuse(table, tenant, {"meterValue": "five", "region": "eu"})
    page = open_page(f"rejected/{item.id}")
    execution = page.locator(".facts").get_by_role("link", name="this execution")
    expect(execution).to_have_attribute("href", re.compile("^/executions/arn"))
    expect(page.get_by_label("meterValue, as JSON")).to_have_value('"five"')
    page.get_by_label("meterValue, as JSON").fill("5")
    page.get_by_label("All other members, as JSON").fill('{"region": "us", "plan": "gold"}')
    page.get_by_role("button", name="Redrive").click()
    expect(page.locator("#outcome .done")).to_contain_text("Counted.")
    expect(page.locator("#outcome")).to_be_focused()
    assert _status(page).endswith("redriven")
    assert page.locator(".history strong").all_inner_texts() == ["edited", "sent", "counted"]
    expect(page.get_by_role("button", name="Redrive")).to_have_count(0)
    assert totals(table) == {tenant: 5}
    usage = now(table, item).original["usage"]
    assert (usage["meterValue"], usage["region"], usage["plan"]) == (5, "us", "gold")
    assert now(table, item).original["eventId"] == item.original["eventId"]


def test_what_is_refused_again_is_told_and_can_be_mended_further(
    table: RejectedTable, tenant: str, open_page: OpenPage
) -> None:
    (item,) = refuse(table, tenant, {"meterValue": "five"})
    page = open_page(f"rejected/{item.id}")
    page.get_by_label("meterApiName").fill("m" * 60)
    page.get_by_role("button", name="Redrive").click()
    expect(page.locator("#outcome .problem")).to_contain_text("Refused again:")
    page.get_by_label("meterApiName").fill(METER)
    page.get_by_label("meterValue, as JSON").fill("7")
    page.get_by_role("button", name="Save only").click()
    expect(page.locator("#outcome .done")).to_contain_text("Saved; it is not sent.")
    assert totals(table) == {}
    page.get_by_role("button", name="Redrive").click()
    expect(page.locator("#outcome .done")).to_contain_text("Counted.")
    assert totals(table) == {tenant: 7}


def test_json_that_cannot_be_read_is_told_and_what_was_typed_stays(
    table: RejectedTable, tenant: str, open_page: OpenPage
) -> None:
    (item,) = refuse(table, tenant, f"a text of {tenant}")
    page = open_page(f"rejected/{item.id}")
    editor = page.get_by_label("The usage, as JSON")
    for wrong, told in (("{'a'}", "The JSON cannot be read"), ("[1]", "has to be an object")):
        editor.fill(wrong)
        page.get_by_role("button", name="Redrive").click()
        expect(page.locator("#outcome .problem")).to_contain_text(told)
        expect(editor).to_have_value(wrong)
    assert now(table, item).history == []
    editor.fill(json.dumps({"tenantId": tenant, "meterApiName": METER, "meterValue": 2}))
    page.get_by_role("button", name="Redrive").click()
    expect(page.locator("#outcome .done")).to_be_visible()
    assert totals(table) == {tenant: 2}


def test_what_may_have_been_counted_can_only_be_sent_as_it_is(
    table: RejectedTable, tenant: str, open_page: OpenPage
) -> None:
    (item,) = refuse(table, tenant, {"meterValue": "five"})
    system: Any = table.deployment
    sandbox = sandbox_of(system)
    sandbox.set_faults([{"kind": "accept_then_drop", "path": "/ingest"}])
    page = open_page(f"rejected/{item.id}")
    page.get_by_label("meterValue, as JSON").fill("5")
    page.get_by_role("button", name="Redrive").click()
    expect(page.locator("#outcome .problem")).to_contain_text("ingest_usage failed")
    sandbox.clear_faults()
    expect(page.get_by_text("an edit now could count it twice")).to_be_visible()
    expect(page.get_by_label("meterValue, as JSON")).to_have_count(0)
    page.get_by_role("button", name="Redrive as it is").click()
    expect(page.locator("#outcome .done")).to_contain_text("Counted.")
    assert totals(table) == {tenant: 5}


def test_two_people_at_one_item_cannot_undo_each_others_work(
    table: RejectedTable, tenant: str, open_page: OpenPage
) -> None:
    (item,) = refuse(table, tenant, {"meterValue": "five"})
    page = open_page(f"rejected/{item.id}")
    table.edit(item, {**item.original["usage"], "meterValue": 1})
    page.get_by_label("meterValue, as JSON").fill("5")
    page.get_by_role("button", name="Redrive").click()
    expect(page.locator("#outcome .problem")).to_contain_text("Somebody else has changed")
    expect(page.get_by_label("meterValue, as JSON")).to_have_value("5")
    assert totals(table) == {}


def test_usage_that_is_given_up_asks_first_and_keeps_the_reason(
    table: RejectedTable, tenant: str, open_page: OpenPage
) -> None:
    (item,) = refuse(table, tenant, {"meterValue": "five"})
    page = open_page(f"rejected/{item.id}")
    page.get_by_role("button", name="Drop…").click()
    question = page.get_by_role("dialog", name="Drop it?")
    assert_accessible(page)
    question.get_by_role("button", name="Cancel").click()
    assert now(table, item).status == "rejected"
    page.get_by_role("button", name="Drop…").click()
    question.get_by_label("Why, for its history").fill(HOSTILE)
    question.get_by_role("button", name="Drop", exact=True).click()
    expect(page.locator("#outcome .done")).to_contain_text("Dropped.")
    expect(page.locator(".history")).to_contain_text(f"dropped: {HOSTILE}")
    assert (now(table, item).status, totals(table)) == ("dropped", {})
