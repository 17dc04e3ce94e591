"""The page of one reconciliation, in a real browser."""

import time
import uuid
from typing import NoReturn

import pytest
from botocore.exceptions import ClientError
from playwright.sync_api import Page, expect

from amberflo_workflows.console.pages import reconciliations
from amberflo_workflows.core.waiting_usage import MAX_REJECTED
from amberflo_workflows.local.system import System
from amberflo_workflows.operate.api_client import ApiClient
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.executions.executions import Executions
from amberflo_workflows.operate.ledger.reconciliation import Waiting
from amberflo_workflows.operate.ledger.reconciliation_runs import ReconciliationRun, read_run
from tests.cli.ledger.usages import HOUR, HOUR_SECONDS, build_usage
from tests.cli.local_metering import count_usages, create_meter
from tests.console.axe import assert_accessible
from tests.console.conftest import OpenPage
from tests.console.reconciliation_samples import (
    HOSTILE,
    LABEL,
    TIMEOUT_MS,
    build_request,
    count_with_drift,
    fill_form,
    read_running,
    start_reconciliation,
)
from tests.entrypoints.calls import Api

pytestmark = [pytest.mark.emulator, pytest.mark.meters("api-calls")]


@pytest.fixture
def tenant() -> str:
    """A tenant of its own for each test, whose name is not harmless."""
    return f"{HOSTILE} {uuid.uuid4()}"


def _fail(*_arguments: object) -> NoReturn:
    raise OperatorError("It cannot be reached.")


def _throttle(*_arguments: object) -> NoReturn:
    raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, "DescribeExecution")


def _outcomes(page: Page) -> dict[str, str]:
    groups = page.locator("dl.counts > div").all()
    return {group.locator("dt").inner_text(): group.locator("dd").inner_text() for group in groups}


def _cells(page: Page) -> list[list[str]]:
    return [row.locator("td").all_inner_texts() for row in page.locator(".differences tbody tr").all()]


def test_a_drifting_hour_leads_to_its_records(system: System, open_page: OpenPage, tenant: str) -> None:
    count_with_drift(system, tenant)
    page = open_page("reconciliations")
    fill_form(page, tenant, meter="api-calls")
    page.get_by_label("Tenant").press("Enter")
    page.wait_for_url("**/reconciliations/*")
    expect(page.locator("h2").first).to_contain_text("drift", timeout=TIMEOUT_MS)
    assert _outcomes(page) == {
        "agreed": "0",
        "missing at Amberflo": "1",
        "more at Amberflo than in the ledger": "1",
        "too fresh to tell": "0",
        "Rejected usage": "0",
        "Queued events": "0",
        "Dead events": "0",
    }
    later = time.strftime("%Y-%m-%d %H:%M", time.gmtime(HOUR + HOUR_SECONDS))
    assert _cells(page) == [
        [LABEL, "api-calls", tenant, "4", "2", "2", "missing at Amberflo"],
        [later, "api-calls", tenant, "0", "5", "-5", "more at Amberflo than in the ledger"],
    ]
    reconciliation = page.url.rsplit("/", 1)[1]
    expect(page.locator("#replay")).to_have_text(f"metering replay --reconciliation {reconciliation}")
    expect(page.locator("main")).to_contain_text(
        f"s3://{system.outputs['LedgerBucketName']}/reconciliations/{reconciliation}/"
    )
    assert page.title() == "Reconciliation · Metering"
    # The first of the links to records.
    page.keyboard.press("j")
    expect(page.get_by_role("link", name=f"{LABEL}: records of {tenant}, api-calls")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#more")).to_have_text("2 records, with a sum of 4 without what was cancelled.")
    page.keyboard.press("g")
    page.keyboard.press("c")
    row = page.locator(".runs tbody tr").filter(has_text=tenant)
    expect(row).to_contain_text("1 missing at Amberflo, 1 more at Amberflo than in the ledger")
    expect(row).to_contain_text("≠ drift")
    expect(row).to_contain_text(f"{LABEL} to ")
    expect(row).to_contain_text("by hand")
    expect(page.get_by_role("link", name="Reconciliations")).to_have_attribute("aria-current", "page")
    row.get_by_role("link").click()
    page.wait_for_url(f"**/reconciliations/{reconciliation}")


def test_a_deleted_meter_has_no_link(system: System, open_page: OpenPage, tenant: str) -> None:
    meter = create_meter(system, "storage")
    count_usages(system, [build_usage(tenant, 1, meterApiName="storage")])
    assert Api(system).call("DELETE", f"meters/{meter['id']}").status == 200
    page = open_page(f"reconciliations/{start_reconciliation(system, build_request(tenant))}")
    expect(page.locator(".differences tbody tr")).to_have_count(1, timeout=TIMEOUT_MS)
    assert _cells(page)[0][1] == "storage (deleted)"
    expect(page.locator(".differences a")).to_have_count(0)


def test_meters_that_cannot_be_read_leave_the_rows_without_links(
    system: System, open_page: OpenPage, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    count_with_drift(system, tenant)

    monkeypatch.setattr(ApiClient, "list_meters", _fail)
    page = open_page(f"reconciliations/{start_reconciliation(system, build_request(tenant))}")
    problem = page.get_by_text("The records cannot be linked. It cannot be reached.")
    expect(problem).to_be_visible(timeout=TIMEOUT_MS)
    assert [row[0] for row in _cells(page)][:1] == [LABEL]
    expect(page.locator(".differences")).not_to_contain_text("deleted")
    expect(page.locator(".differences a")).to_have_count(0)


def test_what_waits_and_what_is_only_in_the_report(
    system: System, open_page: OpenPage, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers that would take too long to bring about."""

    def read_large(executions: Executions, name: str) -> ReconciliationRun:
        run = read_run(executions, name)
        if run.result:
            run.result.waiting = Waiting(rejected=MAX_REJECTED, queued=1_234, dead=2)
            run.result.differences_omitted, run.result.meters_without_sum = 9_500, ["users"]
        return run

    count_with_drift(system, tenant)
    monkeypatch.setattr(reconciliations, "read_run", read_large)
    page = open_page(f"reconciliations/{start_reconciliation(system, build_request(tenant, meterApiName='api-calls'))}")
    expect(page.locator("main")).to_contain_text("9,500 more differences are in the report.", timeout=TIMEOUT_MS)
    expect(page.locator("main")).to_contain_text("Not compared, since the values of their type have no sum: users.")
    outcomes = _outcomes(page)
    assert [outcomes[name] for name in ("Rejected usage", "Queued events", "Dead events")] == ["10000+", "1,234", "2"]
    urls = [page.get_by_role("link", name=name).get_attribute("href") for name in ("Queued events", "Dead events")]
    assert urls == ["/", "/rejected/dead"]
    page.get_by_role("link", name="Rejected usage").click()
    expect(page.get_by_label("Tenant")).to_have_value(tenant)
    expect(page.get_by_label("Meter")).to_have_value("api-calls")


def test_a_running_reconciliation_is_followed(
    system: System, open_page: OpenPage, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    count_usages(system, [build_usage(tenant, 1)])
    name = start_reconciliation(system, build_request(tenant))
    with monkeypatch.context() as patch:
        patch.setattr(reconciliations, "read_run", read_running)
        page = open_page(f"reconciliations/{name}")
        expect(page.get_by_role("status").first).to_contain_text("running")
        expect(page.locator("#live")).to_contain_text("This page shows the outcome when there is one.")
        assert_accessible(page)
        problem = page.get_by_role("alert")
        patch.setattr(reconciliations, "read_run", _throttle)
        expect(problem).to_contain_text("The state cannot be read. AWS: An error occurred (ThrottlingException)")
        patch.setattr(reconciliations, "read_run", _fail)
        expect(problem).to_contain_text("The state cannot be read. It cannot be reached. This page tries again.")
        expect(page.locator("dl.run")).to_contain_text(tenant)
        assert_accessible(page)
    expect(page.locator("h2").first).to_contain_text("no drift", timeout=TIMEOUT_MS)
    expect(problem).to_have_count(0)
    expect(page.get_by_role("status").first).to_contain_text("succeeded")
    expect(page.get_by_text("No hour differs.")).to_be_visible()
    expect(page.locator("#replay")).to_have_count(0)


def test_a_page_that_was_open_for_long_stops_following(
    system: System, open_page: OpenPage, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = start_reconciliation(system, build_request(tenant))
    with monkeypatch.context() as patch:
        patch.setattr(reconciliations, "FOLLOW_SECONDS", -1)
        patch.setattr(reconciliations, "read_run", read_running)
        page = open_page(f"reconciliations/{name}")
        expect(page.get_by_role("alert")).to_contain_text("It still runs. This page no longer follows it.")
        assert_accessible(page)
    page.get_by_role("link", name="Follow it again").click()
    expect(page.locator("h2").first).to_contain_text("no drift", timeout=TIMEOUT_MS)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_an_unknown_reconciliation_is_an_error_in_words(open_page: OpenPage) -> None:
    for name in ("unknown", "a%3Ab"):
        page = open_page(f"reconciliations/{name}", allow_failed_requests=True)
        expect(page.locator("main .problem")).to_contain_text("There is no reconciliation '")
