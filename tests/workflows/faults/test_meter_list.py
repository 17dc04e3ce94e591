"""A list of meters that cannot be read when a name has to be looked up: the usage is retried, not rejected."""

import time
import uuid
from typing import Any

import pytest

from amberflo_workflows.local.system import System
from tests.conftest import sandbox_of
from tests.workflows.faults.cells import changed_state
from tests.workflows.runner import Execution, Runner

pytestmark = pytest.mark.emulator


def _ingest(system: System, name: str, **options: Any) -> Execution:
    usage = {"tenantId": "a", "meterApiName": name, "meterValue": 1}
    event_time = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    reported = {"eventId": str(uuid.uuid4()), "eventTime": event_time, "index": 0, "usage": usage}
    return Runner(system).run("ingest_usage", {"usages": [reported], **options})


def _set_fault(system: System, **fault: Any) -> None:
    sandbox_of(system).set_faults([{"method": "GET", "path": "/meters", **fault}])


@pytest.fixture
def name(system: System) -> str:
    """A new meter, which no process has in its list yet."""
    name = f"meter-{uuid.uuid4()}"
    sandbox_of(system).create_meters(name)
    return name


def _limit_attempts(state: dict[str, Any]) -> None:
    for retrier in state["Retry"]:
        retrier["MaxAttempts"] = 1


FAULTS = [
    ({"kind": "status", "status": 429}, "AmberfloThrottled"),
    ({"kind": "status", "status": 503}, "AmberfloUnavailable"),
    ({"kind": "garbage"}, "AmberfloUnavailable"),
    ({"kind": "drop"}, "AmberfloUnavailable"),
    ({"kind": "status", "status": 401}, "AmberfloUnauthorized"),
]


@pytest.mark.parametrize("caller_waits", [True, False])
@pytest.mark.parametrize(("fault", "error"), FAULTS, ids=str)
def test_usage_is_retried_and_then_counted(
    system: System, name: str, fault: dict[str, Any], error: str, caller_waits: bool
) -> None:
    _set_fault(system, **fault, times=1)
    counted = _ingest(system, name, callerWaits=caller_waits)
    assert counted.output["body"]["data"]["accepted"] == 1, counted
    assert sandbox_of(system).faults()[0]["struck"] == 1
    _set_fault(system, **fault)
    # A process reads the list once a second, and how many attempts there are is in the matrix.
    state = "SendForCaller" if caller_waits else "SendInBackground"
    with changed_state(system, "ingest_usage", state, _limit_attempts):
        failed = _ingest(system, f"{name}-later", callerWaits=caller_waits)
    assert (failed.error, "SaveRejectedUsages" in failed.states) == (error, False)
    assert sandbox_of(system).totals(name) == {"a": 1}
