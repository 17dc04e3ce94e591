"""Times on pages: in UTC, in local time, or relative to now."""

import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo

import pytest
from playwright.sync_api import Page, expect

from amberflo_workflows.console.execution.usages import build_usage_rows
from amberflo_workflows.console.times import render_time
from amberflo_workflows.local.system import System
from tests.console.conftest import OpenPage
from tests.entrypoints.calls import Api
from tests.operate.executions.histories import History

AT = datetime(2026, 1, 31, 23, 45, 59, 678_000, UTC)
# Its offset has a fraction of an hour, so that no other zone can be meant.
KOLKATA = timezone(timedelta(hours=5, minutes=30))


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("seconds", "2026-01-31 23:45:59"),
        ("zoned", "2026-01-31 23:45:59 UTC"),
        ("minutes", "2026-01-31 23:45"),
        ("clock", "23:45:59.678"),
    ],
)
def test_a_time_is_rendered_in_utc(form: str, text: str) -> None:
    html = render_time(AT.astimezone(KOLKATA), form)  # type: ignore[arg-type] # one of its literals
    attributes = f'datetime="2026-01-31T23:45:59.678+00:00" data-form="{form}" title="2026-01-31 23:45:59 UTC"'
    assert html == f"<time {attributes}>{text}</time>"


def test_epoch_seconds_are_a_time() -> None:
    assert render_time(1_769_903_159) == render_time(AT.replace(microsecond=0))


def test_the_time_of_a_usage_is_a_time_unless_it_is_invalid() -> None:
    times = [int(AT.timestamp() * 1000), "2026-01-31T23:45:59.678Z", "2026-01-31T23:45:59", "soon", True, 10**30]
    usages = [{"eventId": "e", "eventTime": "", "index": 0, "usage": {"meterTimeInMillis": value}} for value in times]
    history = History()
    history.add("ExecutionStarted", input={"usages": usages})
    execution = history.build_execution()
    rows = build_usage_rows(replace(execution, summary=replace(execution.summary, workflow="ingest_usage")))
    assert [row.time for row in rows] == [AT, AT, "2026-01-31T23:45:59", "soon", "true", str(10**30)]


@pytest.mark.emulator
def test_the_reader_chooses_utc_local_or_relative_time(system: System, open_page: OpenPage) -> None:
    before = time.time()
    Api(system).call("GET", "meters")
    page = open_page("executions?workflow=list_meters", zone="Asia/Kolkata")
    head, row = page.locator("thead"), page.locator("tbody time").first
    expect(head).to_contain_text("Started (UTC)")
    started = _read_time(row.inner_text(), UTC)
    assert started.timestamp() >= int(before)
    choice = page.get_by_label("Show times as")
    choice.select_option("Local time")
    expect(head).to_contain_text("Started (local time)")
    assert _read_time(row.inner_text(), KOLKATA) == started
    expect(row).to_have_attribute("title", f"{started:%Y-%m-%d %H:%M:%S} UTC")
    choice.select_option("Relative time")
    _expect_relative(page)
    # Another page has the same choice, and so have rows that appear later.
    page.goto(page.url)
    expect(choice).to_have_value("relative")
    _expect_relative(page)
    count = page.locator("tbody tr").count()
    Api(system).call("GET", "meters")
    expect(page.locator("tbody tr")).to_have_count(min(count + 1, 50))
    _expect_relative(page)
    page.locator("[data-row]").first.click()
    expect(page.locator(".facts time")).to_contain_text(re.compile("ago|now"))


def _expect_relative(page: Page) -> None:
    expect(page.locator("tbody time").first).to_contain_text(re.compile("ago|now"))
    assert all(text.endswith(("ago", "now")) for text in page.locator("tbody time").all_inner_texts())


def _read_time(text: str, zone: tzinfo) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=zone).astimezone(UTC)
