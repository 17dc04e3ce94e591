"""The page that starts an execution, in a real browser."""

import re
import uuid

import pytest
from playwright.sync_api import expect

from amberflo_workflows.local.system import STACK, System
from amberflo_workflows.operate.deployment import AwsDeployment
from tests.console.axe import assert_accessible
from tests.console.conftest import OpenPage
from tests.workflows.runner import Runner
from tools.console import serve_console

pytestmark = pytest.mark.emulator

TIMEOUT_MS = 20_000
# The type of Playwright's form parameter.
_Form = dict[str, str | float | bool]


@pytest.mark.usefixtures("system")
def test_starts_the_example_and_opens_its_execution(open_page: OpenPage) -> None:
    page = open_page("start")
    page.get_by_label("Workflow").select_option("create_meter")
    page.wait_for_url("**/start?workflow=create_meter")
    expect(page.locator("#check")).to_have_text("✓ Valid JSON")
    assert '"meterApiName": "example-calls"' in page.get_by_label("Input of create_meter").input_value()
    assert_accessible(page)
    page.get_by_role("button", name="Start create_meter").click()
    page.wait_for_url("**/executions/**")
    expect(page.locator(".lead")).to_contain_text("succeeded", timeout=TIMEOUT_MS)
    expect(page.locator("#execution-output")).to_contain_text('"statusCode": 201')
    assert page.evaluate(
        "JSON.parse(document.getElementById('execution-output').dataset.json).body.data.meterApiName"
    ) == ("example-calls")


INVALID_INPUTS = {
    '{\n  "limit": 3,\n  oops\n}': "Invalid JSON at line 3, column 3",
    "": "The input is required",
    '{\n  "limit": 3': "Invalid JSON at",
}


def test_invalid_json_shows_an_error_and_is_not_started(open_page: OpenPage) -> None:
    page = open_page("start?workflow=list_meters", narrow=True, dark=True)
    methods = []
    page.on("request", lambda request: methods.append(request.method))
    editor = page.get_by_label("Input of list_meters")
    for text, message in INVALID_INPUTS.items():
        editor.fill(text)
        expect(page.locator("#check")).to_contain_text(message)
        expect(editor).to_have_attribute("aria-invalid", "true")
        page.get_by_role("button", name="Start list_meters").click()
        expect(editor).to_be_focused()
    assert "POST" not in methods
    assert_accessible(page)
    editor.fill("{}")
    expect(page.locator("#check")).to_have_text("✓ Valid JSON")


def test_a_rejected_start_shows_an_error_on_the_page(open_page: OpenPage, console_url: str) -> None:
    page = open_page("start?workflow=list_meters", allow_failed_requests=True)
    page.evaluate("document.querySelector('#start [name=workflow]').value = '<b>none</b>'")
    page.get_by_role("button", name="Start list_meters").click()
    expect(page.locator("#problem")).to_contain_text("Workflow '<b>none</b>' was not found")
    expect(page.locator("#messages p")).to_have_count(0)
    page.get_by_label("Input of list_meters").fill('{"limit": 1}')
    expect(page.locator("#problem")).to_be_hidden()
    token = page.locator("meta[name=csrf-token]").get_attribute("content") or ""
    form: _Form = {"workflow": "list_meters", "input": '{"limit": '}
    response = page.request.post(
        console_url + "start", form=form, headers={"X-CSRF-Token": token, "HX-Request": "true"}
    )
    assert (response.status, response.text()[:27]) == (400, "The input is not valid JSON")


def test_the_input_of_another_execution_can_be_edited(system: System, open_page: OpenPage) -> None:
    meter = f"<b>{uuid.uuid4()}</b>"
    arn = Runner(system, endpoint=None).run("get_meter", {"meterId": meter}).arn
    page = open_page(f"executions/{arn}")
    page.get_by_role("link", name="Edit and run").click()
    editor = page.get_by_label("Input of get_meter")
    expect(editor).to_have_value(re.compile(re.escape(f'"{meter}"')))
    expect(page.get_by_role("link", name="this execution")).to_be_visible()
    editor.fill('{"meterId": "another"}')
    page.get_by_role("button", name="Start get_meter").click()
    page.wait_for_url("**/executions/**")
    expect(page.locator("#execution-input")).to_contain_text('"meterId": "another"', timeout=TIMEOUT_MS)


def test_a_start_without_the_token_is_rejected(open_page: OpenPage, console_url: str) -> None:
    page = open_page("start")
    form: _Form = {"workflow": "list_meters", "input": "{}"}
    response = page.request.post(console_url + "start", form=form)
    assert response.status == 403
    response = page.request.post(console_url + "start", form=form, headers={"X-CSRF-Token": "guessed"})
    assert response.status == 403


def test_on_aws_the_page_warns_about_real_effects(
    shared_system: System, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in shared_system.emulator.environment.items():
        monkeypatch.setenv(name, value)
    with serve_console(AwsDeployment(STACK)) as url:
        page = open_page(url + "start?workflow=list_meters")
        expect(page.locator(".warning")).to_contain_text(f"You are working on {STACK} on AWS")
        expect(page.locator(".warning")).to_contain_text("usage that is billed")
        assert_accessible(page)
        page.goto("about:blank")
