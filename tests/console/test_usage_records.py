"""The page of the records behind a number, in a real browser."""

import time
import uuid
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from amberflo_workflows.console.pages.usage_records import PAGE_SIZE
from amberflo_workflows.local.system import System
from tests.cli.ledger.usages import HOUR, HOUR_SECONDS, build_usage
from tests.cli.local_metering import count_usages, create_meter, delete_meter
from tests.console.axe import assert_accessible
from tests.console.conftest import OpenPage
from tests.entrypoints.calls import Api
from tests.workflows.faults.cells import changed_environment

pytestmark = [pytest.mark.emulator, pytest.mark.meters("api-calls")]

HOSTILE = "<img src=x onerror=\"document.title='taken over'\">, & Söhne"


@pytest.fixture
def tenant() -> str:
    """A tenant of its own for each test, whose name is not harmless."""
    return f"{HOSTILE} {uuid.uuid4()}"


def _build_path(tenant: str, start: int = HOUR, end: int = HOUR + HOUR_SECONDS) -> str:
    return f"usage/records?{urlencode({'meter': 'api-calls', 'tenant': tenant, 'from': start, 'to': end})}"


def _list_ids(page: Page) -> list[str]:
    return page.locator("#records .id > bdi").all_inner_texts()


def test_the_records_of_a_deleted_meter_are_shown(system: System, open_page: OpenPage, tenant: str) -> None:
    count_usages(system, [build_usage(tenant, 1)])
    delete_meter(system, "api-calls")
    page = open_page(_build_path(tenant))
    expect(page.locator("#more")).to_contain_text("Amberflo has no meter of this name.")
    expect(page.locator("#more")).to_contain_text("1 record.")
    assert _list_ids(page) == [f"{tenant}/1"]


@pytest.mark.parametrize(("interval", "hours"), [("hour", 1), ("day", 24)])
def test_a_number_of_the_table_leads_to_its_records(
    system: System, open_page: OpenPage, tenant: str, interval: str, hours: int
) -> None:
    usages = [build_usage(tenant, number, 0.1, region="eu") for number in range(3)]
    count_usages(system, [*usages, build_usage("another", 9)])
    count_usages(system, usages[:1])
    assert Api(system).call("DELETE", "usage", {"records": usages[1:2]}).status == 200
    page = open_page(f"usage?meter=api-calls&range=7d&interval={interval}&group=customerId")
    start = HOUR // (hours * HOUR_SECONDS) * hours * HOUR_SECONDS
    label = time.strftime("%Y-%m-%d %H:%M" if hours == 1 else "%Y-%m-%d", time.gmtime(start))
    page.get_by_role("link", name=f"0.2: records of {tenant}, {label}").click()
    expect(page.locator("#more")).to_have_text("3 records, with a sum of 0.2 without what was cancelled.")
    assert _list_ids(page) == [usage["uniqueId"] for usage in usages]
    rows = page.locator("#records tr")
    assert [row.locator("li").count() for row in rows.all()] == [2, 1, 1]
    assert rows.nth(0).locator("td").nth(0).inner_text().endswith(":00:00.000")
    assert ["cancelled" in row.locator("td").nth(3).inner_text() for row in rows.all()] == [False, True, False]
    assert "region: eu" in rows.nth(0).inner_text()
    assert "receipts/date=" in rows.nth(2).inner_text()
    assert page.title().startswith("Records of <img")
    rows.nth(2).get_by_role("link").click()
    expect(page.locator("main")).to_contain_text("ingest_usage")
    page.go_back()
    rows.nth(1).locator("td").nth(3).get_by_role("link").click()
    expect(page.locator("main")).to_contain_text("cancel_usage")
    page.go_back()
    page.get_by_role("link", name="api-calls").click()
    expect(page.locator(".totals")).to_contain_text(tenant)


@pytest.mark.parametrize(
    ("query", "linked"),
    [
        ("interval=hour&group=customerId", True),
        ("interval=hour&tenant={tenant}", True),
        ("interval=hour", False),
        ("interval=week&group=customerId", False),
        ("interval=hour&group=customerId&group=region", False),
        ("interval=hour&group=customerId&filter.region=eu", False),
        ("interval=hour&tenant={tenant}&tenant=another", False),
    ],
)
def test_a_number_that_is_not_a_tenants_alone_has_no_link(
    system: System, open_page: OpenPage, query: str, *, linked: bool
) -> None:
    tenant = str(uuid.uuid4())
    create_meter(system, "storage", dimensions=["region"])
    count_usages(system, [build_usage(tenant, 1, region="eu", meterApiName="storage")])
    page = open_page(f"usage?meter=storage&range=7d&{query.replace('{tenant}', tenant)}")
    expect(page.locator(".intervals tbody tr")).not_to_have_count(0)
    assert bool(page.locator(".intervals tbody a").count()) == linked
    assert page.get_by_text("Select a number to see the records behind it.").count() == linked


def test_pages_are_loaded_with_the_keyboard(system: System, open_page: OpenPage, tenant: str) -> None:
    usages = [build_usage(tenant, number, 1) for number in range(2 * PAGE_SIZE + 1)]
    count_usages(system, usages)
    page = open_page(_build_path(tenant))
    for shown in (PAGE_SIZE, 2 * PAGE_SIZE):
        expect(page.locator("#more")).to_contain_text(f"{shown:,} records so far, with a sum of {shown:,}.")
        assert len(_list_ids(page)) == shown
        button = page.get_by_role("button", name="Load more records")
        if shown == PAGE_SIZE:
            button.focus()
        # After the first page the focus is still there.
        expect(button).to_be_focused()
        page.keyboard.press("Enter")
    expect(page.locator("#more")).to_contain_text("201 records, with a sum of 201")
    expect(page.locator("#after-records")).to_be_focused()
    assert _list_ids(page) == [usage["uniqueId"] for usage in usages]


def test_a_ledger_that_cannot_be_read_is_explained_and_read_again(
    system: System, open_page: OpenPage, tenant: str
) -> None:
    usages = [build_usage(tenant, number, 1) for number in range(PAGE_SIZE + 1)]
    count_usages(system, usages)
    page = open_page(_build_path(tenant))
    expect(page.locator("#more")).to_contain_text(f"{PAGE_SIZE} records so far")
    with changed_environment(system, "ReadRecords", LEDGER_BUCKET_NAME="missing"):
        page.get_by_role("button", name="Load more records").click()
        problem = page.locator("#more .problem")
        expect(problem).to_contain_text(
            "The records cannot be shown. The API responded with 502: The ledger cannot be used: "
        )
        assert_accessible(page)
    assert len(_list_ids(page)) == PAGE_SIZE
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#more")).to_contain_text(f"{PAGE_SIZE + 1} records")
    assert _list_ids(page) == [usage["uniqueId"] for usage in usages]


def test_no_records(open_page: OpenPage, tenant: str) -> None:
    page = open_page(_build_path(tenant))
    expect(page.locator("#more")).to_have_text("The ledger has no usage of this tenant and meter in this time.")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("tenant=t&from=1700000000&to=1700003600", "A meter and a tenant are required."),
        ("meter=m&tenant=%20&from=1700000000&to=1700003600", "A meter and a tenant are required."),
        ("meter=m&tenant=t&from=1700000000", "To: a time is required."),
        ("meter=m&tenant=t&from=1700003600&to=1700003600", "The start of the time range must be before its end."),
        ("meter=m&tenant=t&from=1700000000&to=1700003600&total=inf", "are not valid"),
    ],
)
def test_an_invalid_url_is_an_error_in_words(open_page: OpenPage, query: str, message: str) -> None:
    page = open_page(f"usage/records?{query}", allow_failed_requests=True)
    expect(page.locator("main .problem")).to_contain_text(message)


def test_an_unknown_meter_is_described(open_page: OpenPage) -> None:
    page = open_page(_build_path("t").replace("api-calls", "unknown"))
    expect(page.locator("#more")).to_contain_text("Amberflo has no meter of this name. It was deleted, or the name is")
    expect(page.locator("#more")).to_contain_text("The ledger has no usage of this tenant and meter")


@pytest.mark.parametrize(("narrow", "dark"), [(False, False), (True, True)])
def test_the_page_is_accessible(system: System, open_page: OpenPage, tenant: str, *, narrow: bool, dark: bool) -> None:
    usages = [build_usage(tenant, number, 12_345.5, region="eu", method="GET") for number in range(4)]
    count_usages(system, usages)
    count_usages(system, usages[:2])
    assert Api(system).call("DELETE", "usage", {"records": usages[1:2]}).status == 200
    page = open_page(_build_path(tenant), narrow=narrow, dark=dark)
    expect(page.locator("#more")).to_contain_text("4 records")
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
