import json
import time
from typing import Any

import pytest

from amberflo_workflows.infra.operations import OPERATIONS
from amberflo_workflows.local.system import System
from amberflo_workflows.operate.executions.examples import FILE, METER, TENANT, build_example_input
from amberflo_workflows.operate.executions.executions import Executions
from amberflo_workflows.operate.executions.model import Status
from amberflo_workflows.operate.executions.start import start_execution
from tests.conftest import sandbox_of

pytestmark = pytest.mark.emulator

WORKFLOWS = [operation.name for operation in OPERATIONS]


def _answer(system: System, workflow: str, request: Any) -> Any:
    executions = Executions(system)
    started = start_execution(system, executions.machines.get(workflow), json.dumps(request), wait=True)
    *_, ended = executions.follow(started.arn)
    assert ended.summary.status is Status.SUCCEEDED, ended.error
    return json.loads(ended.output or "")


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_an_example_is_valid_and_does_what_its_workflow_is_for(system: System, workflow: str) -> None:
    request = build_example_input(workflow, system.outputs, time.time())
    if workflow not in {"create_meter", "create_customer", "delete_customer"}:
        made = _answer(system, "create_meter", build_example_input("create_meter", system.outputs, time.time()))
        if workflow in {"get_meter", "update_meter", "delete_meter"}:
            # No meter has the example's id, so that nobody's meter is changed by a first try.
            assert _answer(system, workflow, request)["statusCode"] == 404
            request["meterId"] = made["body"]["data"]["id"]
    if workflow == "backfill_usage":
        now = int(time.time() * 1000)
        usage = {"tenantId": TENANT, "meterApiName": METER, "meterValue": 1, "meterTimeInMillis": now}
        system.client("s3").put_object(Bucket=request["bucket"], Key=FILE, Body=json.dumps(usage).encode())
    answer = _answer(system, workflow, request)
    assert answer["statusCode"] == (201 if workflow == "create_meter" else 200), answer
    if workflow in {"ingest_usage", "backfill_usage"}:
        assert sandbox_of(system).totals(METER) == {TENANT: 1}
