"""The list of rejected usage, in a real browser."""

import csv
import re

import pytest
import requests
from playwright.sync_api import expect

from amberflo_workflows.core.rejected_item import STATUSES
from amberflo_workflows.operate.rejected.item_filter import ItemFilter
from amberflo_workflows.operate.rejected.table import RejectedTable
from tests.console.axe import assert_accessible
from tests.console.conftest import OpenPage
from tests.console.rejected_samples import HOSTILE, METER, create_rejected, fetch_totals, reload_item

pytestmark = [pytest.mark.emulator, pytest.mark.meters("api-calls")]


def test_filters_rejected_usage(table: RejectedTable, tenant: str, open_page: OpenPage) -> None:
    text, missing, other = create_rejected(
        table, tenant, {"meterValue": "five"}, {}, {"meterApiName": HOSTILE, "meterValue": None}
    )
    table.drop(other, "")
    page = open_page(f"rejected?tenant={tenant}")
    rows = page.locator(".rejected tbody tr")
    expect(rows).to_have_count(2)
    cells = rows.filter(has_text="not text").locator("td").all_inner_texts()
    assert cells[1:6] == ["✗ rejected", "meterValue must be a number, not text", tenant, METER, "five"]
    page.get_by_label("Reason contains").fill("IS MISSING")
    page.get_by_role("button", name="Apply").click()
    expect(rows).to_have_count(1)
    page.get_by_label("Reason contains").fill("")
    page.get_by_label("Status").select_option("dropped")
    page.get_by_role("button", name="Apply").click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text(HOSTILE)
    page.get_by_label("Meter", exact=True).fill(METER)
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("No rejected usage matches the filter.")).to_be_visible()
    assert page.title() == "Rejected usage · Metering"
    assert {text.id, missing.id} == {item.id for item in table.list_items(ItemFilter(tenant=tenant))}


def test_exports_what_the_filter_shows(table: RejectedTable, tenant: str, console_url: str) -> None:
    create_rejected(table, tenant, {"meterValue": "=1+1"}, {"meterValue": {"nested": 1}}, "junk")
    create_rejected(table, "another", {})
    response = requests.get(f"{console_url}rejected/export.csv?tenant={tenant}", timeout=60)
    assert response.headers["Content-Disposition"] == 'attachment; filename="rejected.csv"'
    rows = list(csv.DictReader(response.text.splitlines()))
    assert sorted(row["meterValue"] for row in rows) == ["'=1+1", '{"nested": 1}']
    rows = requests.get(f"{console_url}rejected/export.json", timeout=60).json()
    assert [row["tenantId"] for row in rows].count(tenant) == 2
    assert [row["meterValue"] for row in rows if row["tenantId"] is None] == [None]


def test_usage_with_the_same_reason_is_fixed_together(table: RejectedTable, tenant: str, open_page: OpenPage) -> None:
    texts = create_rejected(table, tenant, *({"meterValue": "five", "n": number} for number in range(3)))
    create_rejected(table, f"{tenant}-2", {"meterValue": "six"}, {})
    page = open_page("rejected/reasons")
    rows = page.locator("table tbody tr")
    expect(rows).to_have_count(2)
    assert rows.first.locator("td").all_inner_texts()[:4] == [
        "4",
        "meterValue must be a number, not text",
        f"{tenant}, {tenant}-2",
        METER,
    ]
    assert_accessible(page)
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    rows.first.get_by_role("link").click()
    expect(page.get_by_text("of 4, oldest first")).to_be_visible()
    page.get_by_label("Apply to").select_option("all")
    page.get_by_role("button", name="Redrive…").click()
    dialog = page.get_by_role("dialog", name="Redrive 4 rejected usages?")
    dialog.get_by_text("Edit all before redriving").click()
    dialog.get_by_label("meterValue").fill("2")
    dialog.get_by_role("button", name="Redrive 4").click()
    expect(page.locator("#result .success")).to_contain_text("4 counted, 0 rejected again.")
    assert fetch_totals(table) == {tenant: 2 * len(texts), f"{tenant}-2": 2}


def test_many_items_are_shown_in_pages(table: RejectedTable, tenant: str, open_page: OpenPage) -> None:
    create_rejected(table, tenant, *({"n": number} for number in range(53)))
    page = open_page(f"rejected?tenant={tenant}")
    expect(page.locator(".rejected tbody tr")).to_have_count(50)
    expect(page.get_by_text("1–50 of 53, oldest first")).to_be_visible()  # noqa: RUF001 - as it is on the page
    page.get_by_role("link", name="Newer →").click()
    expect(page.locator(".rejected tbody tr")).to_have_count(3)
    page.get_by_role("link", name="← Older").click()
    expect(page.locator(".rejected tbody tr")).to_have_count(50)


def test_redrives_all_filtered_usage_after_confirmation(table: RejectedTable, tenant: str, open_page: OpenPage) -> None:
    items = create_rejected(table, tenant, *({"meterValue": "five", "n": number} for number in range(4)))
    for item in items[:3]:
        table.edit(item, {**item.original["usage"], "meterValue": 2})
    table.drop(items[3], "")
    (other,) = create_rejected(table, tenant, {})
    page = open_page(f"rejected?tenant={tenant}&status=all")
    page.get_by_label("Apply to").select_option("all")
    page.get_by_role("button", name="Redrive…").click()
    dialog = page.get_by_role("dialog", name="Redrive 4 rejected usages?")
    expect(dialog).to_contain_text("all usage that matches the filter")
    expect(dialog).to_contain_text("on all pages. 1 item is excluded")
    assert_accessible(page)
    dialog.get_by_role("button", name="Redrive 4").click()
    expect(page.locator("#result .success")).to_contain_text("3 counted, 1 rejected again.")
    expect(page.locator("#result .details")).to_contain_text(f"{other.id}: meterValue is missing")
    assert fetch_totals(table) == {tenant: 6}
    statuses = sorted(row.inner_text().split()[-1] for row in page.locator(".rejected td.status").all())
    assert statuses == ["dropped", "redriven", "redriven", "redriven", "rejected"]


def test_edits_many_usages_before_redriving(table: RejectedTable, tenant: str, open_page: OpenPage) -> None:
    create_rejected(table, tenant, *({"meterApiName": "m" * 60, "meterValue": number} for number in (1, 2, 4)))
    page = open_page(f"rejected?tenant={tenant}")
    page.get_by_label("Apply to").select_option("all")
    page.get_by_role("button", name="Redrive…").click()
    page.get_by_text("Edit all before redriving").click()
    page.get_by_role("dialog").get_by_label("meterApiName").fill(METER)
    assert_accessible(page)
    page.get_by_role("button", name="Redrive 3").click()
    expect(page.locator("#result .success")).to_contain_text("3 counted, 0 rejected again.")
    assert fetch_totals(table) == {tenant: 7}


def test_nothing_is_edited_unless_all_can_be(
    table: RejectedTable, tenant: str, open_page: OpenPage, console_url: str
) -> None:
    item, text = create_rejected(table, tenant, {}, f"a text of {tenant}")
    page = open_page(f"rejected?reason=object&tenant={tenant}")
    expect(page.get_by_text("No rejected usage matches the filter.")).to_be_visible()
    params = {"item": [item.id, text.id], "which": "selected", "do": "redrive"}
    dialog = requests.get(f"{console_url}rejected/confirm", params=params, timeout=30).text
    (fingerprint,) = re.findall('name="fingerprint" value="(.*)"', dialog)
    headers = {"X-CSRF-Token": str(page.locator("meta[name=csrf-token]").get_attribute("content"))}
    form = {**params, "fingerprint": fingerprint, "meterValue": "5"}
    response = requests.post(f"{console_url}rejected/act", data=form, headers=headers, timeout=30)
    assert "not JSON objects" in response.text
    assert (reload_item(table, item).history, reload_item(table, text).history) == ([], [])


def test_drops_the_selected_usage_after_confirmation(table: RejectedTable, tenant: str, open_page: OpenPage) -> None:
    first, second, third = create_rejected(table, tenant, *({"n": number} for number in range(3)))
    page = open_page(f"rejected?tenant={tenant}")
    page.get_by_role("button", name="Drop…").click()
    expect(page.get_by_role("dialog")).to_contain_text("No usage selected.")
    page.get_by_role("button", name="Close").click()
    for item in (first, second):
        page.get_by_label(f"Select {item.id}").check()
    expect(page.locator("[data-selected]")).to_have_text("2 selected")
    page.get_by_role("button", name="Drop…").click()
    dialog = page.get_by_role("dialog", name="Drop 2 rejected usages?")
    dialog.get_by_label("Reason (optional, saved in the history)").fill("test reason")
    dialog.get_by_role("button", name="Drop 2").click()
    expect(page.locator("#result .success")).to_contain_text("2 dropped.")
    expect(page.locator(".rejected tbody tr")).to_have_count(1)
    assert [item.id for item in table.list_items(ItemFilter(tenant=tenant))] == [third.id]
    assert reload_item(table, first).history[-1]["note"] == "test reason"


def test_nothing_is_dropped_if_an_item_has_changed(table: RejectedTable, tenant: str, open_page: OpenPage) -> None:
    item, _ = create_rejected(table, tenant, {"n": 1}, {"n": 2})
    page = open_page(f"rejected?tenant={tenant}")
    page.get_by_label("Apply to").select_option("all")
    page.get_by_role("button", name="Drop…").click()
    dialog = page.get_by_role("dialog", name="Drop 2 rejected usages?")
    expect(dialog).to_be_visible()
    table.edit(item, {"meterValue": 1})
    dialog.get_by_role("button", name="Drop 2").click()
    expect(page.locator("#result .problem")).to_contain_text("have changed since this page was loaded")
    assert {item.status for item in table.list_items(ItemFilter(STATUSES, tenant=tenant))} == {"rejected"}


CHANGING_PATHS = (
    "rejected/act",
    "rejected/{id}/redrive",
    "rejected/{id}/drop",
    "rejected/{id}/save",
    "rejected/dead/act",
)


def test_nothing_is_changed_without_the_token(table: RejectedTable, tenant: str, console_url: str) -> None:
    (item,) = create_rejected(table, tenant, {})
    form = {
        "version": item.version,
        "do": "drop",
        "which": "selected",
        "item": item.id,
        "tenantId": "x",
        "others": "{}",
    }
    for path in CHANGING_PATHS:
        response = requests.post(console_url + path.format(id=item.id), data=form, timeout=30)
        assert response.status_code == 403, path
    assert reload_item(table, item).history == []


INVALID_PATHS = (
    ("rejected/no-such-id", 404, "Page not found"),
    ("rejected/dead/no-such-id", 400, "Dead event no-such-id not found"),
    ("rejected?status=lost", 400, "Unknown status"),
)


@pytest.mark.usefixtures("empty_dead_letter_queues")
def test_a_missing_item_shows_an_error(console_url: str) -> None:
    for path, status, message in INVALID_PATHS:
        response = requests.get(console_url + path, timeout=30)
        assert (response.status_code, message in response.text) == (status, True), path


def test_rows_are_opened_with_the_keyboard(table: RejectedTable, tenant: str, open_page: OpenPage) -> None:
    _, second = create_rejected(table, tenant, {"n": 1}, {"n": 2})
    page = open_page(f"rejected?tenant={tenant}")
    rows = page.locator("[data-row]")
    path = str(rows.nth(1).get_attribute("href"))
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(rows.nth(1)).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_label("Reason contains")).to_be_focused()
    rows.nth(1).focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{path}")
    assert second.id in {item.id for item in table.list_items(ItemFilter(tenant=tenant))}


@pytest.mark.parametrize(("narrow", "dark"), [(False, False), (True, True)])
def test_the_page_is_accessible_and_fits(
    table: RejectedTable, tenant: str, open_page: OpenPage, narrow: bool, dark: bool
) -> None:
    (item, *_) = create_rejected(
        table, tenant, {"meterValue": "five", "meterApiName": "m" * 80}, "text", {"tenantId": HOSTILE}
    )
    for path in ("rejected", f"rejected/{item.id}"):
        page = open_page(path, narrow=narrow, dark=dark)
        assert_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
