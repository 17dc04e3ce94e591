"""The list of reconciliations and the form that starts one, in a real browser."""

import time
import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from amberflo_workflows.console.pages import reconciliations
from amberflo_workflows.core.ledger.layout import format_folder
from amberflo_workflows.core.ledger.receipt import RECEIPTS_PREFIX
from amberflo_workflows.local.system import System
from tests.cli.ledger.usages import HOUR, HOUR_SECONDS, build_usage, send_elsewhere
from tests.cli.local_metering import count_usages, create_meter
from tests.console.axe import assert_accessible
from tests.console.conftest import OpenPage
from tests.console.reconciliation_samples import (
    HOSTILE,
    TIMEOUT_MS,
    build_request,
    count_with_drift,
    fill_form,
    format_hour,
    read_running,
    start_reconciliation,
)

pytestmark = [pytest.mark.emulator, pytest.mark.meters("api-calls")]


@pytest.fixture
def tenant() -> str:
    """A tenant of its own for each test, whose name is not harmless."""
    return f"{HOSTILE} {uuid.uuid4()}"


@pytest.fixture
def unreadable_receipt(system: System) -> Iterator[None]:
    """A receipt of the hour that cannot be read."""
    bucket, key = system.outputs["LedgerBucketName"], f"{format_folder(RECEIPTS_PREFIX, HOUR)}z.gz"
    system.client("s3").put_object(Bucket=bucket, Key=key, Body=b"no gzip")
    yield
    system.client("s3").delete_object(Bucket=bucket, Key=key)


def test_a_running_reconciliation_is_in_the_list(
    system: System, open_page: OpenPage, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = start_reconciliation(system, build_request(tenant))
    monkeypatch.setattr(reconciliations, "list_runs", lambda executions, _limit: [read_running(executions, name)])
    page = open_page("reconciliations")
    expect(page.locator(".runs tbody tr")).to_contain_text("not known yet")
    expect(page.locator(".runs tbody tr")).to_contain_text("running")


@pytest.mark.usefixtures("unreadable_receipt")
def test_a_failed_reconciliation_shows_its_error(system: System, open_page: OpenPage, tenant: str) -> None:
    page = open_page(f"reconciliations/{start_reconciliation(system, build_request(tenant))}")
    error = "ReconciliationIncomplete: Some hours could not be compared"
    expect(page.get_by_role("alert")).to_contain_text(error, timeout=TIMEOUT_MS)
    assert_accessible(page)
    page.get_by_role("link", name="Reconciliations").click()
    row = page.locator(".runs tbody tr").filter(has_text=tenant)
    expect(row).to_contain_text(error)
    row.get_by_role("link", name="Show the execution").click()
    expect(page.locator("h1")).to_have_text("reconcile_usage")


def test_a_schedule_and_an_invalid_input_are_told_apart(system: System, open_page: OpenPage, tenant: str) -> None:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(HOUR + 3 * HOUR_SECONDS))
    names = [
        start_reconciliation(system, {"schedule": {"hours": 1, "time": at}}),
        start_reconciliation(system, {"tenant": tenant}),
    ]
    scheduled, invalid = (open_page(f"reconciliations/{name}") for name in names)
    expect(scheduled.locator("h2").first).to_contain_text("drift", timeout=TIMEOUT_MS)
    expect(scheduled.locator("dl.run")).to_contain_text("by schedule")
    expect(scheduled.locator("dl.run")).to_contain_text("and the hours of usage that was counted or cancelled in them")
    expect(invalid.get_by_role("alert")).to_contain_text("The request was rejected with 400", timeout=TIMEOUT_MS)
    expect(invalid.locator("dl.run")).to_contain_text("No valid range")
    page = open_page("reconciliations")
    rows = [page.locator(f".runs tr:has(a[href='/reconciliations/{name}'])") for name in names]
    expect(rows[0]).to_contain_text("by schedule")
    expect(rows[1]).to_contain_text("by hand")
    expect(rows[1]).to_contain_text("rejected with 400")


@pytest.mark.usefixtures("system")
def test_a_form_that_cannot_be_sent_says_why(open_page: OpenPage, tenant: str) -> None:
    page = open_page("reconciliations")
    fill_form(page, tenant, meter="unknown")
    page.get_by_role("button", name="Reconcile").click()
    expect(page.get_by_role("alert")).to_contain_text("The reconciliation was not started.")
    expect(page.get_by_role("alert")).to_contain_text("The meter 'unknown' was not found")
    assert_accessible(page)
    page.get_by_label("Meter").fill("")
    for start, end, message in (
        (HOUR, HOUR, "The start of the time range must be before its end."),
        (HOUR - 100 * 24 * HOUR_SECONDS, HOUR, "The range is longer than 62 days"),
    ):
        page.get_by_label("From (UTC)").fill(format_hour(start))
        page.get_by_label("To (UTC)").fill(format_hour(end))
        page.get_by_role("button", name="Reconcile").click()
        expect(page.get_by_role("alert")).to_contain_text(message)
    # The browser sends full hours only.
    page.locator("[name=from]").evaluate("field => field.step = 60")
    page.get_by_label("From (UTC)").fill(format_hour(HOUR - 1800))
    page.get_by_role("button", name="Reconcile").click()
    expect(page.get_by_role("alert")).to_contain_text("From: a full hour is required, such as ")


@pytest.mark.usefixtures("system")
def test_the_form_has_the_last_day_and_needs_the_token(open_page: OpenPage, console_url: str) -> None:
    before = time.time()
    page = open_page("reconciliations")
    start, end = (
        page.locator(f"[name={name}]").evaluate("field => field.valueAsNumber / 1000") for name in ("from", "to")
    )
    assert (end - start, start % HOUR_SECONDS) == (24 * HOUR_SECONDS, 0)
    assert before <= end < time.time() + HOUR_SECONDS
    assert page.locator("form:invalid").count() == 0
    response = page.request.post(
        f"{console_url}reconciliations", form={"from": format_hour(HOUR), "to": format_hour(HOUR + 3600)}
    )
    assert response.status == 403


def test_older_reconciliations_are_among_the_executions(
    system: System, open_page: OpenPage, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliations, "MAX_LISTED", 2)
    names = [start_reconciliation(system, build_request(tenant, lagSeconds=number)) for number in range(3)]
    page = open_page("reconciliations")
    links = page.locator(".runs [data-row]")
    assert [link.get_attribute("href") for link in links.all()] == [f"/reconciliations/{name}" for name in names[:0:-1]]
    page.get_by_role("link", name="executions of reconcile_usage").click()
    expect(page.locator(f"[data-row][title='{names[0]}']")).to_be_visible()


@pytest.mark.parametrize(("narrow", "dark"), [(False, False), (True, True)])
def test_the_pages_are_accessible(
    system: System, open_page: OpenPage, tenant: str, *, narrow: bool, dark: bool
) -> None:
    create_meter(system, "storage")
    count_with_drift(system, tenant)
    count_usages(system, [build_usage(tenant, 4, 12_345.5, meterApiName="storage")])
    fresh = build_usage(tenant, 5, 1_000_000.25, meterApiName="storage", meterTimeInMillis=int(time.time() * 1000))
    send_elsewhere(system, fresh)
    request = build_request(tenant, endTimeInSeconds=HOUR + 8 * HOUR_SECONDS)
    pages = {
        "reconciliation": f"reconciliations/{start_reconciliation(system, request)}",
        "reconciliations": "reconciliations",
    }
    for name, path in pages.items():
        page = open_page(path, narrow=narrow, dark=dark)
        if path != name:
            expect(page.locator(".differences tbody tr")).to_have_count(3, timeout=TIMEOUT_MS)
        assert_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
