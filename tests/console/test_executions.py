"""The list of executions, in a real browser."""

import uuid

import pytest
from playwright.sync_api import expect

from amberflo_workflows.local.system import System
from tests.console.conftest import OpenPage, save_screenshot
from tests.entrypoints.calls import Api

pytestmark = pytest.mark.emulator


def _create_meter(system: System, label: str) -> str:
    """Create a meter with a label; returns the name of the execution that created it."""
    name = f"m-{uuid.uuid4()}"
    response = Api(system).call(
        "POST", "meters", {"label": label, "meterApiName": name, "meterType": "sum_of_all_usage"}
    )
    assert response.status == 201
    return str(response.headers["x-execution-arn"]).split(":")[7]


def test_filters_executions_by_workflow_status_and_input(system: System, open_page: OpenPage) -> None:
    name = _create_meter(system, "<script>document.title='taken over'</script>")
    _create_meter(system, "another")
    page = open_page("executions")
    page.get_by_label("Workflow").select_option("create_meter")
    page.get_by_label("Status").select_option("succeeded")
    page.get_by_label("Input contains").fill("<script>document.title")
    page.get_by_role("button", name="Apply").click()
    rows = page.locator("tbody tr")
    expect(rows.first).to_contain_text("succeeded")
    expect(page.locator("[data-row]").first).to_have_attribute("title", name)
    expect(rows.first).to_contain_text("<script>document.title='taken over'</script>")
    assert page.title() == "Executions · Metering"
    save_screenshot(page, "executions")


def test_a_new_execution_appears_without_a_reload(system: System, open_page: OpenPage) -> None:
    page = open_page("executions?workflow=create_meter")
    name = _create_meter(system, "live")
    expect(page.locator(f"[data-row][title='{name}']")).to_be_visible()
