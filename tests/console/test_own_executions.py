"""The console starts no execution that its reader did not ask for, and marks those that it needs for a page."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from amberflo_workflows.console.app import _PAGES
from amberflo_workflows.local.system import System
from amberflo_workflows.operate.executions.executions import Executions
from amberflo_workflows.operate.executions.model import ExecutionSummary
from amberflo_workflows.operate.executions.reader import Query
from tests.cli.local_metering import count_usages
from tests.entrypoints.calls import Api

pytestmark = [pytest.mark.emulator, pytest.mark.meters("api-calls")]

NEEDS_PARAMETERS = {
    "/usage/records": "?meter=api-calls&tenant=acme&from=2h&to=1h",
    "/usage/records/rows": "",
    "/usage/cancel": "",
    "/usage/rules/confirm": "",
    "/usage/export.csv": "",
    "/usage/export.json": "",
    "/rejected/confirm": "",
    "/rejected/dead/confirm": "",
}


def _list_paths() -> list[str]:
    """The paths of all pages without a parameter, except for parts that are loaded on request."""
    routes = [route for module in _PAGES for route in module.ROUTES]
    paths = [route.path for route in routes if "GET" in (route.methods or ()) and "{" not in route.path]
    on_request = {"/overview/meters", *NEEDS_PARAMETERS} - {"/usage/records"}
    return [path for path in paths if not path.startswith("/live/") and path not in on_request]


def _list_since(system: System, since: datetime, **query: Any) -> list[ExecutionSummary]:
    return list(Executions(system).list_page(Query(since=since, limit=100, **query)).summaries)


def test_opening_a_page_starts_nothing_but_the_lists_that_it_is_for(system: System, console_url: str) -> None:
    since = datetime.now(UTC)
    for path in _list_paths():
        response = requests.get(console_url.rstrip("/") + path + NEEDS_PARAMETERS.get(path, ""), timeout=30)
        assert response.status_code == 200, path
    assert _list_since(system, since) == []
    # Two pages need the list of meters, which was read once.
    own = _list_since(system, since, from_console=True)
    assert sorted(summary.workflow for summary in own) == ["list_customers", "list_meters"]


def test_what_the_console_reads_is_marked_and_what_its_user_changes_is_not(system: System, console_url: str) -> None:
    since = datetime.now(UTC)
    count_usages(system, [{"tenantId": "acme", "meterApiName": "api-calls", "meterValue": 1}])
    assert requests.get(f"{console_url}usage?meter=api-calls", timeout=30).status_code == 200
    Api(system).call("GET", "meters")
    assert sorted(summary.workflow for summary in _list_since(system, since)) == ["ingest_usage", "list_meters"]
    own = [summary for summary in _list_since(system, since, from_console=True) if summary.is_from_console]
    assert sorted(summary.workflow for summary in own) == ["fetch_usage", "list_meters"]
    listed = requests.get(f"{console_url}executions?since=15m", timeout=30).text
    assert (own[0].name in listed, "ingest_usage" in listed) == (False, True)
    assert own[0].name in requests.get(f"{console_url}executions?since=15m&console=on", timeout=30).text


def test_a_new_meter_is_known_at_once(system: System, console_url: str) -> None:
    assert "api-calls" in requests.get(f"{console_url}usage", timeout=30).text
    body = {"label": "New", "meterApiName": f"new-{int(time.time())}", "meterType": "sum_of_all_usage"}
    assert Api(system).call("POST", "meters", body).status == 201
    page = requests.get(f"{console_url}usage", params={"meter": body["meterApiName"]}, timeout=30)
    assert (page.status_code, f"selected>{body['meterApiName']}" in page.text) == (200, True)
