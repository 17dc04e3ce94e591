"""Start an execution, in a real browser."""

import re
import uuid

import pytest
from playwright.sync_api import expect

from amberflo_workflows.local.system import STACK, System
from amberflo_workflows.operate.deployment import AwsDeployment
from tests.console.axe import assert_accessible
from tests.console.conftest import OpenPage, keep_screenshot, served
from tests.workflows.runner import Runner

pytestmark = pytest.mark.emulator

ENDS_WITHIN_MS = 20_000
# As Playwright has it.
_Form = dict[str, str | float | bool]


@pytest.mark.usefixtures("system")
def test_an_example_is_started_and_followed(open_page: OpenPage) -> None:
    page = open_page("start")
    page.get_by_label("Workflow").select_option("create_meter")
    page.wait_for_url("**/start?workflow=create_meter")
    expect(page.locator("#check")).to_have_text("✓ JSON")
    assert '"meterApiName": "example-calls"' in page.get_by_label("Input of create_meter").input_value()
    assert_accessible(page)
    page.get_by_role("button", name="Start create_meter").click()
    page.wait_for_url("**/executions/**")
    expect(page.locator(".lead")).to_contain_text("succeeded", timeout=ENDS_WITHIN_MS)
    expect(page.locator("#whole-output")).to_contain_text('"statusCode": 201')
    assert page.evaluate("JSON.parse(document.getElementById('whole-output').dataset.json).body.data.meterApiName") == (
        "example-calls"
    )


BROKEN = {
    '{\n  "limit": 3,\n  oops\n}': "No JSON at line 3, column 3",
    "": "It is empty",
    '{\n  "limit": 3': "No JSON at line 2",
}


def test_broken_json_is_told_as_it_is_written_and_not_started(open_page: OpenPage) -> None:
    page = open_page("start?workflow=list_meters", narrow=True, dark=True)
    posted = []
    page.on("request", lambda request: posted.append(request.method))
    editor = page.get_by_label("Input of list_meters")
    for text, told in BROKEN.items():
        editor.fill(text)
        expect(page.locator("#check")).to_contain_text(told)
        expect(editor).to_have_attribute("aria-invalid", "true")
        page.get_by_role("button", name="Start list_meters").click()
        expect(editor).to_be_focused()
    assert "POST" not in posted
    assert_accessible(page)
    keep_screenshot(page, "start-broken")
    editor.fill("{}")
    expect(page.locator("#check")).to_have_text("✓ JSON")


def test_what_a_start_is_refused_for_is_told_in_place(open_page: OpenPage, console_url: str) -> None:
    page = open_page("start?workflow=list_meters", refusals=True)
    page.evaluate("document.querySelector('#start [name=workflow]').value = '<b>none</b>'")
    page.get_by_role("button", name="Start list_meters").click()
    expect(page.locator("#problem")).to_contain_text("There is no workflow '<b>none</b>'")
    expect(page.locator("#messages p")).to_have_count(0)
    page.get_by_label("Input of list_meters").fill('{"limit": 1}')
    expect(page.locator("#problem")).to_be_hidden()
    token = page.locator("meta[name=csrf-token]").get_attribute("content") or ""
    given: _Form = {"workflow": "list_meters", "input": '{"limit": '}
    answer = page.request.post(console_url + "start", form=given, headers={"X-CSRF-Token": token, "HX-Request": "true"})
    assert (answer.status, answer.text()[:20]) == (400, "The input is no JSON")


def test_the_input_of_an_earlier_one_can_be_edited(system: System, open_page: OpenPage) -> None:
    meter = f"<b>{uuid.uuid4()}</b>"
    arn = Runner(system, endpoint=None).run("get_meter", {"meterId": meter}).arn
    page = open_page(f"executions/{arn}")
    page.get_by_role("link", name="Edit and run").click()
    editor = page.get_by_label("Input of get_meter")
    expect(editor).to_have_value(re.compile(re.escape(f'"{meter}"')))
    expect(page.get_by_role("link", name="an earlier execution")).to_be_visible()
    editor.fill('{"meterId": "another"}')
    page.get_by_role("button", name="Start get_meter").click()
    page.wait_for_url("**/executions/**")
    expect(page.locator("#whole-input")).to_contain_text('"meterId": "another"', timeout=ENDS_WITHIN_MS)


def test_a_start_without_the_token_is_refused(open_page: OpenPage, console_url: str) -> None:
    page = open_page("start")
    given: _Form = {"workflow": "list_meters", "input": "{}"}
    answer = page.request.post(console_url + "start", form=given)
    assert answer.status == 403
    answer = page.request.post(console_url + "start", form=given, headers={"X-CSRF-Token": "guessed"})
    assert answer.status == 403


def test_on_aws_it_is_said_what_a_start_does(
    shared_system: System, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in shared_system.emulator.environment.items():
        monkeypatch.setenv(name, value)
    with served(AwsDeployment(STACK)) as url:
        page = open_page(url + "start?workflow=list_meters")
        expect(page.locator(".warning")).to_contain_text(f"This is {STACK} on AWS")
        expect(page.locator(".warning")).to_contain_text("usage that is billed")
        assert_accessible(page)
        keep_screenshot(page, "start-on-aws")
        page.goto("about:blank")
