"""The views of an execution's page: its history in full, its states as a table, its definition, and its control."""

import csv
import io
import json
import re
import uuid
from html import unescape
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, expect

from amberflo_workflows.console.execution.definition import format_definition, highlight
from amberflo_workflows.console.execution.events import EventFilter, build_event_rows, format_details
from amberflo_workflows.local.system import System
from amberflo_workflows.operate.errors import OperatorError
from tests.conftest import sandbox_of
from tests.console.axe import assert_accessible
from tests.console.conftest import OpenPage
from tests.operate.executions.histories import BEGIN, FAILED, History, add_task
from tests.workflows.runner import Runner
from tests.workflows.tenant_events import ONBOARDING


def _history() -> History:
    history = History().started()
    add_task(history, "First", failing=1)
    history.add("ExecutionFailed", **FAILED)
    return history


@pytest.mark.parametrize(
    ("params", "ids"),
    [
        ({}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        ({"order": "newest"}, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
        ({"kind": "errors"}, [5, 10]),
        ({"kind": "states"}, [2, 9]),
        ({"kind": "tasks"}, [3, 4, 5, 6, 7, 8]),
        ({"text": "REFUSED", "order": "newest"}, [10, 5]),
        ({"text": "stateentered"}, [2]),
    ],
)
def test_events_are_filtered_and_sorted(params: dict[str, str], ids: list[int]) -> None:
    assert [event.id for event in EventFilter.parse(params).apply(_history().events)] == ids


def test_an_unknown_filter_of_events_is_an_error() -> None:
    with pytest.raises(OperatorError, match=r"Unknown value 'some'\. Valid values: errors, states, tasks"):
        EventFilter.parse({"kind": "some"})


def test_the_details_of_an_event_are_all_its_members_unchanged() -> None:
    history = History()
    history.add("ExecutionStarted", input='{"digits": 12345678901234567890.10, "a": "[1"}', other="[not JSON")
    (event,) = history.events
    details = format_details(event)
    assert '"input": {"digits": 12345678901234567890.10, "a": "[1"}' in details
    assert json.loads(details)["other"] == "[not JSON"
    assert {"id", "type", "timestamp"} <= set(json.loads(details))
    history.add("ExecutionSucceeded", output="x" * 5_000)
    rows = list(build_event_rows(history.events, BEGIN))
    assert [row.details is None for row in rows] == [False, True]
    assert [len(row.preview) <= 161 for row in rows] == [True, True]


def test_a_definition_is_indented_and_its_parts_are_marked() -> None:
    text = format_definition('{"Comment":"<b>\\"x\\": 1</b>","TimeoutSeconds":2.5,"End":true}')
    html = str(highlight(text))
    assert unescape(re.sub("<span[^>]*>|</span>", "", html)) == text
    assert html.count('class="json-key"') == 3
    assert '<span class="json-number">2.5</span>' in html
    assert '<span class="json-string">&#34;&lt;b&gt;' in html


def _path(system: System, workflow: str, request: Any, **fault: Any) -> str:
    if fault:
        sandbox_of(system).set_faults([fault])
    arn = Runner(system, endpoint=None).run(workflow, request).arn
    sandbox_of(system).clear_faults()
    return f"executions/{arn}"


def _ids(page: Page) -> list[str]:
    return page.locator("#events tr td:first-child").all_inner_texts()


@pytest.mark.emulator
def test_the_history_is_expanded_filtered_sorted_and_exported(
    system: System, open_page: OpenPage, console_url: str
) -> None:
    long = "x" * 5_000
    path = _path(system, "get_meter", {"meterId": long})
    page = open_page(path)
    page.get_by_text("Event history").click()
    first = page.locator("#event-1")
    expect(first.locator("summary").first).not_to_contain_text(long)
    first.locator("summary").first.click()
    first.locator(".json summary").nth(1).click()
    first.get_by_role("button", name="Show all 5,002 characters").click()
    expect(first).to_contain_text(long)
    page.get_by_role("button", name="Expand all").click()
    expect(page.locator("#events details[id]:not([open])")).to_have_count(0)
    expect(page.locator("#event-2 .json")).to_contain_text('"name": "ResolveApiKey"')
    assert_accessible(page)
    page.get_by_role("button", name="Collapse all").click()
    expect(page.locator("#events details[id][open]")).to_have_count(0)
    oldest = _ids(page)
    page.get_by_label("Order").select_option("Newest first")
    expect(page.locator("#events tr td:first-child").first).to_have_text(oldest[-1])
    assert _ids(page) == oldest[::-1]
    page.locator("#history-filter").get_by_label("Events").select_option("States")
    expect(page.locator("#events tr")).to_have_count(4)
    page.get_by_label("Contains", exact=True).fill("resolveapikey")
    expect(page.locator("#events tr")).to_have_count(2)
    page.get_by_label("Contains", exact=True).fill("no such text")
    expect(page.locator("#events")).to_have_text(re.compile("No events match"))
    raw = page.get_by_role("link", name="Raw JSON").get_attribute("href")
    events = requests.get(f"{console_url}{raw}".replace("//exec", "/exec"), timeout=30).json()
    assert [str(event["id"]) for event in events] == oldest
    assert json.loads(events[0]["details"]["input"]) == {"meterId": long}
    rows = list(csv.DictReader(io.StringIO(requests.get(f"{console_url}{path}/history.csv", timeout=30).text)))
    assert [json.loads(row["details"]) for row in rows] == [event["details"] for event in events]


@pytest.mark.emulator
def test_the_filter_of_the_history_stays_while_the_execution_runs(system: System, open_page: OpenPage) -> None:
    sandbox_of(system).set_faults([{"kind": "hang", "seconds": 60, "path": "/meters"}])
    client = system.client("stepfunctions")
    arn = client.start_execution(stateMachineArn=system.state_machine_arns["list_meters"], input="{}")["executionArn"]
    page = open_page(f"executions/{arn}?tab=table")
    row = page.locator(".states tr", has_text="ListMeters")
    expect(row).to_contain_text("▶ running")
    expect(page.get_by_text("Express executions cannot be stopped")).to_be_visible()
    page.get_by_text("Event history").click()
    page.locator("#history-filter").get_by_label("Events").select_option("States")
    expect(page.locator("#events tr")).to_have_count(3)
    sandbox_of(system).clear_faults()
    expect(page.locator(".lead")).to_contain_text("succeeded · 200")
    expect(page.locator("#events tr")).to_have_count(4)
    expect(row).to_contain_text("✓ succeeded")
    expect(page.locator("#view-graph")).to_be_hidden()


@pytest.mark.emulator
def test_the_states_are_a_graph_a_table_and_a_definition(system: System, open_page: OpenPage) -> None:
    page = open_page(_path(system, "list_meters", {}, kind="status", status=503, times=1))
    page.get_by_role("tab", name="Graph").focus()
    page.keyboard.press("ArrowRight")
    row = page.locator(".states tr", has_text="ListMeters")
    expect(row).to_contain_text("✓ succeeded, 2 attempts")
    row.get_by_role("link").click()
    panel = page.locator("#state")
    expect(panel.locator(".attempts tbody")).to_have_count(2)
    times = panel.locator(".attempts tbody").first.locator("time").all_inner_texts()
    assert len(times) == 2
    assert times[0] < times[1]
    expect(panel.get_by_role("group", name="Payload of the task, attempt 2")).to_contain_text("retryCount")
    expect(panel).to_contain_text("Computed from the current definition")
    assert_accessible(page)
    page.get_by_role("tab", name="Definition").click()
    definition = page.locator("#definition")
    expect(definition).to_contain_text('"StartAt": "ResolveApiKey"')
    expect(page.locator("#view-definition")).to_contain_text("The current version")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#view-definition").get_by_role("button", name="Copy").click()
    expect(page.locator("#messages")).to_contain_text("Copied.")
    assert "ListMeters" in json.loads(page.evaluate("navigator.clipboard.readText()"))["States"]
    assert "tab=definition" in page.url
    assert_accessible(page)
    page.reload()
    expect(definition).to_be_visible()


def _width(page: Page) -> float:
    return float(page.locator("#graph svg").get_attribute("width") or 0)


@pytest.mark.emulator
def test_the_graph_is_zoomed_and_moved(system: System, open_page: OpenPage) -> None:
    page = open_page(_path(system, "list_meters", {}))
    expect(page.locator("#graph svg")).to_be_visible()
    graph = page.locator("#graph")
    page.get_by_role("button", name="100%").click()
    full = _width(page)
    page.get_by_role("button", name="Zoom in").click()
    assert _width(page) > full
    page.keyboard.press("0")
    assert _width(page) == full
    page.keyboard.press("-")
    assert _width(page) < full
    for _ in range(6):
        page.keyboard.press("+")
    graph.hover(position={"x": 5, "y": 5})
    page.keyboard.down("Control")
    page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    expect(graph.locator("svg")).not_to_have_attribute("width", str(int(full)))
    before = graph.evaluate("element => [element.scrollLeft, element.scrollTop]")
    box = graph.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 5, box["y"] + 250)
    page.mouse.down()
    page.mouse.move(box["x"] - 45, box["y"] + 210)
    page.mouse.up()
    after = graph.evaluate("element => [element.scrollLeft, element.scrollTop]")
    assert after != before
    page.get_by_role("button", name="Fit to window").click()
    assert graph.evaluate("element => element.scrollWidth <= element.clientWidth + 1")


@pytest.mark.emulator
def test_a_standard_execution_is_stopped_after_confirmation(system: System, open_page: OpenPage) -> None:
    sandbox_of(system).set_faults([{"kind": "hang", "seconds": 120}])
    machine, request = system.state_machine_arns["create_customer"], {**ONBOARDING, "id": str(uuid.uuid4())}
    client = system.client("stepfunctions")
    arn = client.start_execution(stateMachineArn=machine, input=json.dumps(request))["executionArn"]
    page = open_page(f"executions/{arn}")
    page.get_by_role("button", name="Stop…").click()
    dialog = page.get_by_role("dialog", name="Stop this execution?")
    assert_accessible(page)
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    expect(page.locator(".lead")).to_contain_text("running")
    page.get_by_role("button", name="Stop…").click()
    dialog.get_by_label("Reason").fill("wrong tenant")
    dialog.get_by_role("button", name="Stop execution").click()
    expect(page.locator(".lead")).to_contain_text("aborted")
    expect(page.locator(".facts .problem")).to_have_text("StoppedByOperator wrong tenant")
    sandbox_of(system).clear_faults()
    page.get_by_role("button", name="Redrive…").click()
    expect(page.get_by_role("dialog", name="Redrive this execution?")).to_contain_text("cannot redrive executions")


@pytest.mark.emulator
def test_what_cannot_be_stopped_or_redriven_says_why(system: System, open_page: OpenPage, console_url: str) -> None:
    path = _path(system, "list_meters", {})
    page = open_page(path)
    expect(page.get_by_role("button", name="Stop…")).to_have_count(0)
    token = page.locator("meta[name=csrf-token]").get_attribute("content") or ""
    headers = {"X-CSRF-Token": token, "HX-Request": "true"}
    for action, message in (("stop", "cannot be stopped"), ("redrive", "cannot be redriven")):
        response = requests.post(f"{console_url}{path}/{action}", headers=headers, timeout=30)
        assert (response.status_code, f"Express executions {message}" in response.text) == (400, True)
