"""Lambda workers that are killed during a call."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from amberflo_workflows.local.system import System
from tests.conftest import sandbox_of
from tests.entrypoints.calls import Api
from tests.polling import wait_until
from tests.system.workers import kill_workers
from tests.workflows.faults.cells import create_meter

pytestmark = [pytest.mark.emulator, pytest.mark.meters("x")]

# Longer than the test takes to kill the worker, shorter than the step's time limit.
HANG_SECONDS = 5
USAGE = {"tenantId": "a", "meterApiName": "x", "meterValue": 3}


def _call_and_kill(system: System, call: tuple[str, str, Any], path: str, handler: str) -> int:
    """Kill the workers of a step while Amberflo lets it wait. Return the status of the call."""
    method, route, body = call
    sandbox_of(system).set_faults([{"kind": "hang", "seconds": HANG_SECONDS, "path": path, "times": 1}])
    with ThreadPoolExecutor(1) as pool:
        response = pool.submit(Api(system).call, method, route, body)
        assert wait_until(lambda: sandbox_of(system).faults()[0]["struck"] == 1)
        assert kill_workers(system, f"amberflo_workflows.tasks.{handler}.handler") >= 1
        return response.result().status


def test_a_read_whose_worker_is_killed_is_repeated(system: System) -> None:
    route = f"meters/{create_meter(system)}"
    assert _call_and_kill(system, ("GET", route, None), "/meters/*", "get_meter") == 200


def test_usage_whose_worker_is_killed_is_sent_again_and_counts_once(system: System) -> None:
    assert _call_and_kill(system, ("POST", "ingest", USAGE), "/ingest", "send_usages") == 200
    assert wait_until(lambda: sandbox_of(system).totals("x") == {"a": 3})
