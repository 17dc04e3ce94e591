"""The list of refused usage, in a real browser."""

import re

import pytest
import requests
from playwright.sync_api import expect

from amberflo_workflows.core.rejected_item import STATUSES
from amberflo_workflows.operate.rejected.items import ItemFilter
from amberflo_workflows.operate.rejected.table import RejectedTable
from tests.console.axe import assert_accessible
from tests.console.conftest import OpenPage, keep_screenshot
from tests.console.refusing_api import HOSTILE, METER, now, refuse, totals

pytestmark = pytest.mark.emulator


def test_refused_usage_is_found_by_what_it_is(table: RejectedTable, tenant: str, open_page: OpenPage) -> None:
    text, missing, other = refuse(
        table, tenant, {"meterValue": "five"}, {}, {"meterApiName": HOSTILE, "meterValue": None}
    )
    table.drop(other, "")
    page = open_page(f"rejected?tenant={tenant}")
    rows = page.locator(".refused tbody tr")
    expect(rows).to_have_count(2)
    shown = rows.filter(has_text="this is text").locator("td").all_inner_texts()
    assert shown[1:6] == ["✗ rejected", "meterValue must be a number, this is text", tenant, METER, "five"]
    page.get_by_label("Text in the reason").fill("IS MISSING")
    page.get_by_role("button", name="Show").click()
    expect(rows).to_have_count(1)
    page.get_by_label("Text in the reason").fill("")
    page.get_by_label("Status").select_option("dropped")
    page.get_by_role("button", name="Show").click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text(HOSTILE)
    page.get_by_label("Meter", exact=True).fill(METER)
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("There is none like that.")).to_be_visible()
    assert page.title() == "Refused usage · Metering"
    assert {text.id, missing.id} == {item.id for item in table.find(ItemFilter(tenant=tenant))}


def test_many_are_shown_a_page_at_a_time(table: RejectedTable, tenant: str, open_page: OpenPage) -> None:
    refuse(table, tenant, *({"n": number} for number in range(53)))
    page = open_page(f"rejected?tenant={tenant}")
    expect(page.locator(".refused tbody tr")).to_have_count(50)
    expect(page.get_by_text("1–50 of 53, oldest first")).to_be_visible()  # noqa: RUF001 - as it is on the page
    page.get_by_role("link", name="Newer →").click()
    expect(page.locator(".refused tbody tr")).to_have_count(3)
    page.get_by_role("link", name="← Older").click()
    expect(page.locator(".refused tbody tr")).to_have_count(50)


def test_what_is_filtered_is_sent_at_once_after_a_question(
    table: RejectedTable, tenant: str, open_page: OpenPage
) -> None:
    items = refuse(table, tenant, *({"meterValue": "five", "n": number} for number in range(4)))
    for item in items[:3]:
        table.edit(item, {**item.original["usage"], "meterValue": 2})
    table.drop(items[3], "")
    (other,) = refuse(table, tenant, {})
    page = open_page(f"rejected?tenant={tenant}&status=all")
    page.get_by_label("With").select_option("all")
    page.get_by_role("button", name="Redrive…").click()
    question = page.get_by_role("dialog", name="Redrive 4 refused usages?")
    expect(question).to_contain_text("All that match the filter")
    expect(question).to_contain_text("on all pages. 1 more is left out")
    assert_accessible(page)
    keep_screenshot(page, "rejected-redrive")
    question.get_by_role("button", name="Redrive 4").click()
    expect(page.locator("#outcome .done")).to_contain_text("3 counted, 1 refused again.")
    expect(page.locator("#outcome .details")).to_contain_text(f"{other.id}: meterValue is missing")
    assert totals(table) == {tenant: 6}
    statuses = sorted(row.inner_text().split()[-1] for row in page.locator(".refused td.status").all())
    assert statuses == ["dropped", "redriven", "redriven", "redriven", "rejected"]


def test_many_are_mended_at_once(table: RejectedTable, tenant: str, open_page: OpenPage) -> None:
    refuse(table, tenant, *({"meterApiName": "m" * 60, "meterValue": number} for number in (1, 2, 4)))
    page = open_page(f"rejected?tenant={tenant}")
    page.get_by_label("With").select_option("all")
    page.get_by_role("button", name="Redrive…").click()
    page.get_by_text("Mend all of them first").click()
    page.get_by_role("dialog").get_by_label("meterApiName").fill(METER)
    assert_accessible(page)
    page.get_by_role("button", name="Redrive 3").click()
    expect(page.locator("#outcome .done")).to_contain_text("3 counted, 0 refused again.")
    assert totals(table) == {tenant: 7}


def test_nothing_is_mended_unless_all_can_be(
    table: RejectedTable, tenant: str, open_page: OpenPage, console_url: str
) -> None:
    one, text = refuse(table, tenant, {}, f"a text of {tenant}")
    page = open_page(f"rejected?reason=object&tenant={tenant}")
    expect(page.get_by_text("There is none like that.")).to_be_visible()
    asked = {"item": [one.id, text.id], "which": "ticked", "do": "redrive"}
    question = requests.get(f"{console_url}rejected/confirm", params=asked, timeout=30).text
    (fingerprint,) = re.findall('name="fingerprint" value="(.*)"', question)
    headers = {"X-CSRF-Token": str(page.locator("meta[name=csrf-token]").get_attribute("content"))}
    form = {**asked, "fingerprint": fingerprint, "meterValue": "5"}
    answer = requests.post(f"{console_url}rejected/act", data=form, headers=headers, timeout=30)
    assert "Some are no objects" in answer.text
    assert (now(table, one).history, now(table, text).history) == ([], [])


def test_what_is_ticked_is_dropped_at_once_after_a_question(
    table: RejectedTable, tenant: str, open_page: OpenPage
) -> None:
    one, other, left = refuse(table, tenant, *({"n": number} for number in range(3)))
    page = open_page(f"rejected?tenant={tenant}")
    page.get_by_role("button", name="Drop…").click()
    expect(page.get_by_role("dialog")).to_contain_text("Nothing is ticked.")
    page.get_by_role("button", name="Close").click()
    for item in (one, other):
        page.get_by_label(f"Choose {item.id}").check()
    expect(page.locator("[data-ticked]")).to_have_text("2 ticked")
    page.get_by_role("button", name="Drop…").click()
    question = page.get_by_role("dialog", name="Drop 2 refused usages?")
    question.get_by_label("Why, for its history").fill("a test of ours")
    question.get_by_role("button", name="Drop 2").click()
    expect(page.locator("#outcome .done")).to_contain_text("2 dropped.")
    expect(page.locator(".refused tbody tr")).to_have_count(1)
    assert [item.id for item in table.find(ItemFilter(tenant=tenant))] == [left.id]
    assert now(table, one).history[-1]["note"] == "a test of ours"


def test_nothing_is_done_when_what_was_shown_has_changed(
    table: RejectedTable, tenant: str, open_page: OpenPage
) -> None:
    one, _ = refuse(table, tenant, {"n": 1}, {"n": 2})
    page = open_page(f"rejected?tenant={tenant}")
    page.get_by_label("With").select_option("all")
    page.get_by_role("button", name="Drop…").click()
    question = page.get_by_role("dialog", name="Drop 2 refused usages?")
    expect(question).to_be_visible()
    table.edit(one, {"meterValue": 1})
    question.get_by_role("button", name="Drop 2").click()
    expect(page.locator("#outcome .problem")).to_contain_text("has changed since; nothing was done")
    assert {item.status for item in table.find(ItemFilter(STATUSES, tenant=tenant))} == {"rejected"}


CHANGES = ("rejected/act", "rejected/{id}/redrive", "rejected/{id}/drop", "rejected/{id}/save", "rejected/dead/act")


def test_nothing_is_done_without_the_token_of_a_page(table: RejectedTable, tenant: str, console_url: str) -> None:
    (item,) = refuse(table, tenant, {})
    form = {
        "version": item.version,
        "do": "drop",
        "which": "ticked",
        "item": item.id,
        "tenantId": "x",
        "others": "{}",
    }
    for path in CHANGES:
        answer = requests.post(console_url + path.format(id=item.id), data=form, timeout=30)
        assert answer.status_code == 403, path
    assert now(table, item).history == []


MISSING = (
    ("rejected/no-such-id", 404, "no such page"),
    ("rejected/dead/no-such-id", 400, "There is no dead event no-such-id"),
    ("rejected?status=lost", 400, "There is no status"),
)


@pytest.mark.usefixtures("dead")
def test_what_is_not_there_is_told(console_url: str) -> None:
    for path, status, told in MISSING:
        answer = requests.get(console_url + path, timeout=30)
        assert (answer.status_code, told in answer.text) == (status, True), path


def test_rows_are_gone_along_and_opened_with_keys(table: RejectedTable, tenant: str, open_page: OpenPage) -> None:
    _, second = refuse(table, tenant, {"n": 1}, {"n": 2})
    page = open_page(f"rejected?tenant={tenant}")
    rows = page.locator("[data-row]")
    wanted = str(rows.nth(1).get_attribute("href"))
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(rows.nth(1)).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_label("Text in the reason")).to_be_focused()
    rows.nth(1).focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{wanted}")
    assert second.id in {item.id for item in table.find(ItemFilter(tenant=tenant))}


@pytest.mark.parametrize(("narrow", "dark"), [(False, False), (True, True)])
def test_everybody_can_read_it(
    table: RejectedTable, tenant: str, open_page: OpenPage, narrow: bool, dark: bool
) -> None:
    (item, *_) = refuse(table, tenant, {"meterValue": "five", "meterApiName": "m" * 80}, "text", {"tenantId": HOSTILE})
    look = f"{'narrow' if narrow else 'wide'}-{'dark' if dark else 'light'}"
    for path, name in (("rejected", "rejected"), (f"rejected/{item.id}", "rejected-item")):
        page = open_page(path, narrow=narrow, dark=dark)
        assert_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        keep_screenshot(page, f"{name}-{look}")
