"""The list of executions, in a real browser."""

import csv
import io
import re
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from playwright.sync_api import Locator, Page, expect

from amberflo_workflows.local.system import System
from amberflo_workflows.operate.executions import api_reader
from tests.console.axe import assert_accessible
from tests.console.conftest import OpenPage
from tests.entrypoints.calls import Api

pytestmark = pytest.mark.emulator

# Another test may have started more executions than a search examines at once.
NO_MATCH = re.compile("No executions match the filters|No match so far")


def _create_meter(system: System, label: str) -> str:
    """Create a meter with a label; returns the name of the execution that created it."""
    name = f"m-{uuid.uuid4()}"
    response = Api(system).call(
        "POST", "meters", {"label": label, "meterApiName": name, "meterType": "sum_of_all_usage"}
    )
    assert response.status == 201
    return str(response.headers["x-execution-arn"]).split(":")[7]


def _get_meter(system: System, meter: str) -> str:
    """Get a meter that does not exist; returns the ARN of the execution."""
    response = Api(system).call("GET", f"meters/{meter}")
    assert response.status == 404
    return str(response.headers["x-execution-arn"])


def _names(page: Page) -> Locator:
    return page.locator("tbody [data-row]")


def _expect_only(page: Page, name: str) -> None:
    expect(_names(page)).to_have_count(1)
    expect(_names(page)).to_have_attribute("title", name)


def test_filters_apply_at_once_and_are_in_the_address(system: System, open_page: OpenPage) -> None:
    marker = uuid.uuid4().hex
    name = _create_meter(system, f"<script>document.title='{marker}'</script>")
    _create_meter(system, "another")
    page = open_page("executions")
    page.get_by_label("Workflow").select_option("create_meter")
    page.get_by_label("Status").select_option("succeeded")
    page.get_by_label("Name, input or error contains").press_sequentially(f"<SCRIPT>document.title='{marker}")
    _expect_only(page, name)
    rows = page.locator("tbody tr")
    expect(rows.first).to_contain_text("succeeded · 201")
    expect(rows.first).to_contain_text(f"<script>document.title='{marker}'</script>")
    assert page.title() == "Executions · Metering"
    query = f"?workflow=create_meter&status=succeeded&text=%3CSCRIPT%3Edocument.title%3D%27{marker}"
    assert page.url.endswith(query)
    page.reload()
    expect(page.get_by_label("Name, input or error contains")).to_have_value(f"<SCRIPT>document.title='{marker}")
    expect(_names(page)).to_have_count(1)
    # A new execution that does not match does not appear.
    _create_meter(system, "live")
    page.wait_for_timeout(1500)
    expect(_names(page)).to_have_count(1)
    page.get_by_label("Status").select_option("failed")
    expect(rows).to_have_text(NO_MATCH)
    page.go_back()
    expect(page.get_by_label("Status")).to_have_value("succeeded")
    expect(_names(page)).to_have_count(1)
    page.get_by_role("link", name="Clear filters").click()
    expect(page.get_by_label("Workflow")).to_have_value("")


def test_executions_are_filtered_by_response_error_tenant_and_time(system: System, open_page: OpenPage) -> None:
    meter, tenant = f"m-{uuid.uuid4()}", f"t-{uuid.uuid4()}"
    arn = _get_meter(system, meter)
    usage = {"tenantId": tenant, "meterApiName": meter, "meterValue": 1}
    ingest = Api(system).call("POST", "ingest", usage).headers["x-execution-arn"].split(":")[7]
    page = open_page(f"executions?text={meter}&workflow=get_meter")
    row = page.locator("tbody tr").first
    expect(row).to_contain_text("⚠\ufe0e succeeded · 404 Not Found")
    response = page.get_by_label("Response")
    response.fill("2xx")
    expect(row).to_have_text(NO_MATCH)
    response.fill("error")
    _expect_only(page, arn.split(":")[7])
    response.fill("40")
    expect(page.get_by_role("alert")).to_contain_text("Unknown response status '40'. Use a status like 404")
    expect(_names(page)).to_have_count(0)
    response.fill("404")
    page.get_by_label("Error contains", exact=True).fill("NOT FOUND")
    expect(_names(page)).to_have_count(1)
    page.goto(page.url.partition("?")[0])
    page.get_by_label("Tenant").fill(tenant)
    _expect_only(page, ingest)
    page.get_by_label("Started").select_option("Time range…")
    page.get_by_label("To (UTC)").fill("2026-01-01T00:00:00")
    expect(row).to_have_text(NO_MATCH)
    page.get_by_label("To (UTC)").fill("2099-01-01T00:00:00")
    page.get_by_label("From (UTC)").fill("2026-01-02T03:04:05")
    expect(_names(page)).to_have_count(1)
    assert "since=range&from=2026-01-02T03%3A04%3A05&to=2099-01-01T00%3A00%3A00" in page.url
    page.get_by_label("Started").select_option("Last hour")
    expect(page.get_by_label("To (UTC)")).to_be_hidden()
    page.wait_for_url("**since=1h**")
    assert "from=" not in page.url
    assert_accessible(page)


@pytest.mark.parametrize("form", ["name", "ARN", "header"])
def test_the_search_opens_an_execution(system: System, open_page: OpenPage, form: str) -> None:
    arn = _get_meter(system, f"m-{uuid.uuid4()}")
    name = arn.split(":")[7]
    page = open_page("start")
    page.keyboard.press("s")
    expect(page.get_by_label("Search executions")).to_be_focused()
    page.keyboard.type({"name": name, "ARN": arn, "header": f"x-execution-arn: {arn}"}[form])
    page.keyboard.press("Enter")
    page.wait_for_url("**/executions/arn*")
    expect(page.locator("#arn")).to_have_text(arn)


def test_the_search_lists_executions_with_a_text(system: System, open_page: OpenPage) -> None:
    meter, unique_id = f"m-{uuid.uuid4()}", f"u-{uuid.uuid4()}"
    arn = _get_meter(system, meter)
    usage = {"tenantId": "t", "meterApiName": meter, "meterValue": 1, "uniqueId": unique_id}
    ingest = str(Api(system).call("POST", "ingest", usage).headers["x-execution-arn"])
    page = open_page("usage")
    for text, expected in ((unique_id, ingest), (f"{meter}' WAS not found", arn), (arn.split(":")[7][:23], arn)):
        page.get_by_label("Search executions").fill(text)
        page.keyboard.press("Enter")
        expect(page.get_by_label("Name, input or error contains")).to_have_value(text)
        _expect_only(page, expected.split(":")[7])
    page.get_by_label("Search executions").fill("no such text anywhere")
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr").first).to_have_text(NO_MATCH)


def test_the_search_for_an_execution_of_another_stack_says_so(console_url: str) -> None:
    other = "arn:aws:states:us-east-1:1:execution:Other:name"
    response = requests.get(f"{console_url}search", params={"q": other}, timeout=30)
    assert (response.status_code, "belongs to another stack" in response.text) == (400, True)


def test_a_search_goes_on_where_it_has_stopped(
    system: System, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A search examines 500 executions at once, which would take half a minute to create.
    monkeypatch.setattr(api_reader, "MAX_EXAMINED", 50)
    meter = f"m-{uuid.uuid4()}"
    machine, client = system.state_machine_arns["get_meter"], system.client("stepfunctions")
    arn = _get_meter(system, meter)

    def start(_: int) -> None:
        client.start_execution(stateMachineArn=machine, input='{"meterId": "none"}')

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(start, range(70)))
    page = open_page(f"executions?workflow=get_meter&text={meter}")
    expect(page.locator("tbody tr").first).to_have_text("No match so far")
    expect(page.locator("#more")).to_contain_text("Searched back to")
    page.get_by_role("button", name="Search older executions").click()
    _expect_only(page, arn.split(":")[7])


def test_the_executions_that_match_are_exported(system: System, console_url: str) -> None:
    meter = f"m-{uuid.uuid4()}"
    names = {_get_meter(system, meter).split(":")[7] for _ in range(2)}
    address = f"{console_url}executions/export"
    text = requests.get(f"{address}.csv", params={"text": meter}, timeout=30).text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["name"] for row in rows} == names
    assert [(row["status"], row["response_status"]) for row in rows] == [("succeeded", "404")] * 2
    response = requests.get(f"{address}.json", params={"text": meter}, timeout=30)
    assert response.headers["content-disposition"] == 'attachment; filename="executions.json"'
    assert [{name: str(value or "") for name, value in row.items()} for row in response.json()] == rows
    assert requests.get(f"{address}.json", params={"text": "no such text", "since": "1m"}, timeout=30).json() == []
    assert requests.get(f"{address}.csv", params={"response": "no"}, timeout=30).status_code == 400


def test_a_new_execution_appears_without_a_reload(system: System, open_page: OpenPage) -> None:
    page = open_page("executions?workflow=create_meter")
    name = _create_meter(system, "live")
    expect(page.locator(f"[data-row][title='{name}']")).to_be_visible()
