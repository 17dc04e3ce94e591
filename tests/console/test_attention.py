"""What the overview says needs a person."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from amberflo_workflows.console.activity import build_activity
from amberflo_workflows.console.attention import Watch
from amberflo_workflows.console.counts import QueueCounts
from amberflo_workflows.console.state import Console
from amberflo_workflows.local.system import System
from amberflo_workflows.operate.executions.executions import Executions
from amberflo_workflows.operate.executions.model import ExecutionResult, ExecutionSummary, Status
from tests.console.reconciliation_samples import build_request, count_with_drift, start_reconciliation
from tests.polling import wait_until
from tools.console import serve_console

pytestmark = [pytest.mark.emulator, pytest.mark.meters("api-calls")]

NOW = datetime(2026, 1, 2, tzinfo=UTC)
IDLE = QueueCounts(waiting=0, in_flight=3, rejected=0, dead_usage=0, dead_tenant_events=0)


def _list_titles(system: System, counts: QueueCounts, *summaries: ExecutionSummary) -> list[str]:
    activities = [build_activity("get_meter", summaries, NOW)]
    return [concern.title for concern in Watch().list_concerns(Console(system, "token"), counts, activities, 0)]


def test_the_most_urgent_comes_first(system: System) -> None:
    counts = QueueCounts(waiting=4, in_flight=0, rejected=2, dead_usage=1, dead_tenant_events=3)
    outcomes = (Status.SUCCEEDED, Status.FAILED)
    summaries = [ExecutionSummary("arn", "get_meter", status, NOW, NOW) for status in outcomes]
    assert _list_titles(system, counts, *summaries)[:4] == [
        "1 dead usage event",
        "3 dead tenant events",
        "1 of 2 executions of get_meter failed",
        "2 rejected usages",
    ]


def test_drift_is_listed_until_a_reconciliation_finds_none(system: System, tenant: str) -> None:
    def reconcile(reconciled: str) -> list[str]:
        name = start_reconciliation(system, build_request(reconciled))
        console = Console(system, "token")
        assert wait_until(lambda: bool(console.executions.get_result("reconcile_usage", name).summary.stopped))
        return _list_titles(system, IDLE)

    count_with_drift(system, tenant)
    assert reconcile(tenant) == ["Amberflo reports other usage than the ledger has"]
    # Nothing is rejected, dead, failing or different: the overview says that all is well.
    assert reconcile(f"{tenant}-other") == []


class NoFailures(Executions):
    """The executions of a system, without those of other tests."""

    def list_recent(self, *_: Any, **__: Any) -> Sequence[ExecutionSummary]:
        return ()


class NoReconciliations(NoFailures):
    def list_results(self, *_: Any) -> Sequence[ExecutionResult]:
        return ()


@pytest.mark.usefixtures("empty_dead_letter_queues")
def test_the_overview_says_whether_a_reconciliation_found_no_difference(system: System, tenant: str) -> None:
    def read(executions: Executions) -> str:
        with serve_console(system, executions) as url:
            text = requests.get(url, timeout=30).text
        assert "<strong>All is well.</strong>" in text
        return text

    assert 'No <a href="/reconciliations">reconciliation</a> has compared' in read(NoReconciliations(system))
    name = start_reconciliation(system, build_request(tenant))
    executions = NoFailures(system)
    assert wait_until(lambda: bool(executions.get_result("reconcile_usage", name).summary.stopped))
    assert f'The <a href="/reconciliations/{name}">latest reconciliation</a> found no difference.' in read(executions)


def test_usage_is_late_after_five_minutes_in_the_queue(system: System) -> None:
    console, watch, counts = Console(system, "token"), Watch(), IDLE._replace(waiting=7)

    def list_late(seconds: float, counts: QueueCounts) -> list[str]:
        concerns = watch.list_concerns(console, counts, [], seconds)
        return [concern.title for concern in concerns if "waited" in concern.title]

    assert [list_late(seconds, counts) for seconds in (0, 299)] == [[], []]
    assert list_late(300, counts) == ["Usage has waited for 5 min"]
    # The queue was empty in between, so this is other usage.
    assert [list_late(400, IDLE), list_late(401, counts)] == [[], []]
