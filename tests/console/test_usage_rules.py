"""The page of the rules that cancel usage, in a real browser."""

import time

import pytest
from playwright.sync_api import expect

from amberflo_workflows.local.system import System
from tests.cli.ledger.usages import build_usage
from tests.cli.local_metering import count_usages
from tests.conftest import sandbox_of
from tests.console.axe import assert_accessible
from tests.console.conftest import NARROW, OpenPage
from tests.entrypoints.calls import Api

pytestmark = [pytest.mark.emulator, pytest.mark.meters("api-calls")]


def test_a_rule_is_undone_after_confirmation(system: System, open_page: OpenPage) -> None:
    page = open_page("usage/rules")
    expect(page.get_by_text("No rules in the ledger")).to_be_visible()
    count_usages(system, [build_usage("acme", 1)])
    now = int(time.time())
    time_range = {"startTimeInSeconds": now - 3600, "endTimeInSeconds": now + 3600}
    rule = {"id": "a <b>rule</b>", "meterApiName": "api-calls", "ingestionTimeRange": time_range, "allowFuture": True}
    assert Api(system).call("DELETE", "usage", rule).status == 200
    assert sandbox_of(system).totals("api-calls") == {}
    page = open_page("usage/rules")
    row = page.locator("table tbody tr")
    expect(row).to_contain_text("a <b>rule</b>")
    assert_accessible(page)
    row.get_by_role("button").click()
    dialog = page.get_by_role("dialog", name="Undo the rule a <b>rule</b>?")
    expect(dialog).to_contain_text("The usage of all tenants of api-calls")
    assert_accessible(page)
    dialog.get_by_role("button", name="Undo the rule").click()
    expect(page.locator("#result .success")).to_contain_text("Undid the rule a <b>rule</b>.")
    expect(row).to_contain_text("Undone: it cancels nothing")
    expect(row.get_by_role("button")).to_have_count(0)
    assert sandbox_of(system).totals("api-calls") == {"acme": 2}
    page.set_viewport_size({"width": NARROW["width"], "height": NARROW["height"]})
