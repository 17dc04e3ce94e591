"""The list of executions, in a real browser."""

import uuid

import pytest
from playwright.sync_api import expect

from amberflo_workflows.local.system import System
from tests.console.conftest import OpenPage, keep_screenshot
from tests.entrypoints.calls import Api

pytestmark = pytest.mark.emulator


def _meter(system: System, label: str) -> str:
    """Make a meter with a label; gives the name of the execution that made it."""
    name = f"m-{uuid.uuid4()}"
    answer = Api(system).call("POST", "meters", {"label": label, "meterApiName": name, "meterType": "sum_of_all_usage"})
    assert answer.status == 201
    return str(answer.headers["x-execution-arn"]).split(":")[7]


def test_executions_are_found_by_workflow_outcome_and_text(system: System, open_page: OpenPage) -> None:
    wanted = _meter(system, "<script>document.title='taken over'</script>")
    _meter(system, "another")
    page = open_page("executions")
    page.get_by_label("Workflow").select_option("create_meter")
    page.get_by_label("Outcome").select_option("succeeded")
    page.get_by_label("Text in the input").fill("<script>document.title")
    page.get_by_role("button", name="Show").click()
    rows = page.locator("tbody tr")
    expect(rows.first).to_contain_text("succeeded")
    expect(page.locator("[data-row]").first).to_have_attribute("title", wanted)
    expect(rows.first).to_contain_text("<script>document.title='taken over'</script>")
    assert page.title() == "Executions · Metering"
    keep_screenshot(page, "executions")


def test_a_new_execution_appears_by_itself(system: System, open_page: OpenPage) -> None:
    page = open_page("executions?workflow=create_meter")
    name = _meter(system, "live")
    expect(page.locator(f"[data-row][title='{name}']")).to_be_visible()
