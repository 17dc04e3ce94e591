"""The page of one execution of the local system, in a real browser."""

import json
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from amberflo_workflows.local.system import System
from tests.cli.local_metering import create_meter
from tests.conftest import sandbox_of
from tests.console.axe import assert_accessible
from tests.console.conftest import OpenPage
from tests.workflows.runner import Runner

pytestmark = pytest.mark.emulator

TIMEOUT_MS = 20_000


def _run(system: System, workflow: str, request: Any, **fault: Any) -> str:
    """Run a workflow, with a fault of the sandbox if there is one; returns the path of the execution's page."""
    if fault:
        sandbox_of(system).set_faults([fault])
    arn = Runner(system, endpoint=None).run(workflow, request).arn
    sandbox_of(system).clear_faults()
    return f"executions/{arn}"


def _run_failing(system: System) -> str:
    return _run(system, "list_meters", {"limit": 7}, kind="status", status=503)


def _node(page: Page, state: str) -> Any:
    return page.locator(f"#graph [data-state='{state}']")


def _usages(meter: str, *values: Any) -> dict[str, Any]:
    event_time = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))
    return {
        "usages": [
            {
                "eventId": f"{uuid.uuid4()}",
                "eventTime": event_time,
                "index": index,
                "usage": {"tenantId": "it's acme", "meterApiName": meter, "meterValue": value},
            }
            for index, value in enumerate(values)
        ],
        "callerWaits": True,
    }


def test_a_failed_execution_shows_the_state_the_error_and_the_attempts(system: System, open_page: OpenPage) -> None:
    page = open_page(_run_failing(system))
    expect(page.get_by_role("heading", level=1)).to_have_text("list_meters")
    expect(page.locator(".lead")).to_contain_text("failed")
    expect(page.locator(".facts .problem")).to_have_text("AmberfloUnavailable Amberflo returned status 503.")
    expect(page.locator(".facts dl")).to_contain_text("secret version")
    expect(_node(page, "ListMeters").locator(".status-text")).to_have_text("✗ failed, 3 attempts")
    expect(_node(page, "ListMeters")).to_have_class("node failed")
    expect(_node(page, "RefreshApiKey").locator(".status-text")).to_have_text("· not reached")
    expect(page.locator("#graph .edge.taken")).to_have_count(2)
    attempts = page.locator(".bars .nested")
    expect(attempts).to_have_count(3)
    expect(attempts.first).to_contain_text("retried after")
    expect(page.locator(".bars .bar.wait")).to_have_count(4)
    page.get_by_text("Event history").click()
    expect(page.locator("#history tbody tr").first).to_contain_text("ExecutionStarted")
    assert_accessible(page)


def test_a_click_selects_a_state_and_keeps_it_in_the_url(system: System, open_page: OpenPage) -> None:
    page = open_page(_run_failing(system))
    _node(page, "ListMeters").click()
    panel = page.locator("#state")
    expect(panel.get_by_role("heading", level=2)).to_have_text("ListMeters")
    expect(panel.locator(".attempts tbody")).to_have_count(3)
    expect(panel.locator(".json").first).to_contain_text('"secretId": "AmberfloApiKey"')
    expect(panel.locator(".log > li").nth(2)).to_be_visible()
    panel.locator(".log summary").first.click()
    expect(panel.locator(".log > li").first).to_contain_text('"outcome": "503"')
    panel.get_by_text("Stack trace").click()
    expect(panel.locator(".trace pre")).to_contain_text("AmberfloUnavailable")
    assert page.url.endswith("?state=ListMeters")
    assert_accessible(page)
    page.reload()
    expect(panel.get_by_role("heading", level=2)).to_have_text("ListMeters")
    expect(_node(page, "ListMeters")).to_have_attribute("aria-current", "true")
    page.locator(".bars").get_by_role("link", name="ResolveApiKey").click()
    expect(panel.get_by_role("heading", level=2)).to_have_text("ResolveApiKey")
    page.go_back()
    expect(panel.get_by_role("heading", level=2)).to_have_text("ListMeters")
    panel.get_by_role("link", name="Close").click()
    expect(panel.get_by_role("heading", level=2)).to_have_text("Execution input and output")
    expect(panel.locator(".json").first).to_contain_text('"limit": 7')


def test_states_are_selected_with_the_keyboard(system: System, open_page: OpenPage) -> None:
    page = open_page(_run_failing(system))
    expect(_node(page, "ListMeters")).to_be_visible()
    page.keyboard.press("j")
    expect(_node(page, "ResolveApiKey")).to_be_focused()
    page.keyboard.press("j")
    expect(_node(page, "ListMeters")).to_be_focused()
    page.keyboard.press("Enter")
    panel = page.locator("#state")
    expect(panel.get_by_role("heading", level=2)).to_have_text("ListMeters")
    expect(_node(page, "ListMeters")).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(panel.get_by_role("heading", level=2)).to_have_text("ResolveApiKey")


def test_a_retried_execution_shows_its_attempts(system: System, open_page: OpenPage) -> None:
    page = open_page(_run(system, "list_meters", {}, kind="status", status=503, times=1), dark=True, narrow=True)
    expect(_node(page, "ListMeters").locator(".status-text")).to_have_text("✓ succeeded, 2 attempts")
    first, second = page.locator(".bars .nested").all()
    expect(first).to_contain_text("failed AmberfloUnavailable, retried after")
    expect(second).to_contain_text("succeeded")
    page.get_by_text("Event history").click()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert_accessible(page)


def test_an_ingest_execution_shows_the_status_of_each_usage(system: System, open_page: OpenPage) -> None:
    meter = create_meter(system, f"m-{uuid.uuid4()}")["meterApiName"]
    request = _usages(meter, 1, "many", 3)
    path = _run(
        *(system, "ingest_usage", request),
        kind="status",
        status=400,
        path="/ingest",
        body='{"errorMessage": "no"}',
        times=1,
    )
    page = open_page(path, dark=True)
    expect(_node(page, "SendForCaller").locator(".status-text")).to_have_text("↷ caught")
    expect(_node(page, "SendOneByOne").locator(".status-text")).to_have_text("✓ succeeded, 3 tasks")
    expect(_node(page, "SendUsage").locator(".status-text")).to_have_text("· not in the history")
    rows = page.locator(".usages tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.nth(0)).to_contain_text("counted")
    expect(rows.nth(1)).to_contain_text("meterValue must be a number, not text")
    page.get_by_role("button", name="Fit to window").click()
    _node(page, "SaveRejectedUsages").locator(".name").click()
    expect(page.locator("#state")).to_contain_text("1 task ran inside this state")
    assert_accessible(page)
    rows.get_by_role("link", name="rejected").click()
    page.wait_for_url("**/rejected/*")
    expect(page.locator("main")).to_contain_text(request["usages"][1]["eventId"])


@pytest.mark.meters("m")
def test_an_item_of_a_distributed_map_is_a_child_execution(system: System, open_page: OpenPage) -> None:
    bucket, key = system.outputs["BackfillBucketName"], f"{uuid.uuid4()}.ndjson"
    usage = {"tenantId": "t", "meterApiName": "m", "meterValue": 1, "meterTimeInMillis": time.time_ns() // 10**6}
    system.client("s3").put_object(Bucket=bucket, Key=key, Body=json.dumps(usage).encode())
    page = open_page(_run(system, "backfill_usage", {"bucket": bucket, "key": key}) + "?state=SendRanges")
    expect(_node(page, "SendRanges").locator(".status-text")).to_have_text("✓ succeeded, 1 item")
    expect(_node(page, "SendRange").locator(".status-text")).to_have_text("· child executions")
    assert_accessible(page)
    page.locator("#state .items").get_by_role("link", name="item 0").click()
    expect(page.get_by_text("This is the child execution")).to_be_visible()
    expect(page.get_by_role("button", name="Run again")).to_have_count(0)
    _node(page, "SendRange").click()
    expect(page.locator("#state .log")).to_contain_text("range sent")


def test_a_running_execution_is_updated_until_its_end(system: System, open_page: OpenPage) -> None:
    # The execution cannot end before the page has shown that it is running.
    sandbox_of(system).set_faults([{"kind": "hang", "seconds": 60, "path": "/meters"}])
    client = system.client("stepfunctions")
    arn = client.start_execution(stateMachineArn=system.state_machine_arns["list_meters"], input='{"limit": 3}')
    page = open_page(f"executions/{arn['executionArn']}?state=ListMeters")
    expect(_node(page, "ListMeters")).to_have_class("node running")
    expect(page.locator(".lead")).to_contain_text("running for")
    page.get_by_text("Event history").click()
    page.locator("#state .json summary").first.click()
    expect(page.locator("#state .json details").first).not_to_have_attribute("open", "")
    _node(page, "ListMeters").focus()
    sandbox_of(system).clear_faults()
    expect(page.locator(".lead")).to_contain_text("succeeded", timeout=TIMEOUT_MS)
    expect(_node(page, "ListMeters")).to_have_class("node succeeded")
    expect(_node(page, "ListMeters")).to_be_focused()
    expect(page.locator("#output-1")).to_contain_text("statusCode")
    expect(page.locator("#state .log > li").first).to_be_visible()
    assert page.title() == "list_meters succeeded · 200 · Metering"
    expect(page.locator("#history")).to_have_attribute("open", "")
    expect(page.locator("#history")).to_contain_text("ExecutionSucceeded")
    expect(page.locator("#input-1 details").first).not_to_have_attribute("open", "")


def test_the_copied_commands_start_the_execution_again(system: System, open_page: OpenPage) -> None:
    meter = create_meter(system, f"m-{uuid.uuid4()}")["meterApiName"]
    page = open_page(_run(system, "ingest_usage", _usages(meter, 5)))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    outputs = {}
    for name in ("curl", "AWS CLI"):
        page.get_by_role("button", name=f"Copy as {name}").click()
        expect(page.locator("#messages")).to_contain_text("Copied.")
        command = page.evaluate("navigator.clipboard.readText()")
        environment = {
            **system.emulator.environment,
            "ACCESS_TOKEN": system.access_token,
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        }
        result = subprocess.run(
            ["/bin/bash", "-c", command], env=environment, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stderr
        outputs[name] = json.loads(result.stdout)
    assert outputs["curl"]["data"]["accepted"] == 1
    assert outputs["AWS CLI"]["status"] == "SUCCEEDED"
    # The same usage is counted once.
    assert sandbox_of(system).totals(meter) == {"it's acme": 5}


def test_run_again_starts_an_execution_and_opens_it(system: System, open_page: OpenPage) -> None:
    limit = int(time.time() * 1000) % 1_000 + 1
    path = _run(system, "list_meters", {"limit": limit})
    page = open_page(path)
    expect(page.get_by_role("link", name="Edit and run")).to_have_attribute(
        "href", f"/start?workflow=list_meters&like={path.removeprefix('executions/').replace(':', '%3A')}"
    )
    before = page.url
    page.get_by_role("button", name="Run again").click()
    page.wait_for_url(lambda url: "/executions/" in url and url != before)
    expect(page.locator(".lead")).to_contain_text("succeeded", timeout=TIMEOUT_MS)
    expect(page.locator("#execution-input")).to_contain_text(f'"limit": {limit}')


def test_an_unknown_execution_shows_an_error(open_page: OpenPage, console_url: str) -> None:
    page = open_page("start")
    for path in ("executions/nonsense", "executions/arn:aws:states:us-east-1:1:execution:Other:name"):
        response = page.request.get(console_url + path)
        assert response.status == 400
        assert "not the ARN of an execution" in response.text() or "belongs to another stack" in response.text()
