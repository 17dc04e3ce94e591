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


def _run(system: System, workflow: str, request: Any) -> Any:
    executions = Executions(system)
    started = start_execution(system, executions.machines.get(workflow), json.dumps(request), wait=True)
    *_, ended = executions.follow(started.arn)
    assert ended.summary.status is Status.SUCCEEDED, ended.error
    return json.loads(ended.output or "")


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_an_example_input_runs_its_workflow_successfully(system: System, workflow: str) -> None:
    request = build_example_input(workflow, system.outputs, time.time())
    if workflow not in {"create_meter", "create_customer", "delete_customer"}:
        created = _run(system, "create_meter", build_example_input("create_meter", system.outputs, time.time()))
        if workflow in {"get_meter", "update_meter", "delete_meter"}:
            # No meter has the example's id, so that the example does not change a real meter.
            assert _run(system, workflow, request)["statusCode"] == 404
            request["meterId"] = created["body"]["data"]["id"]
    if workflow == "get_customer":
        _run(system, "create_customer", build_example_input("create_customer", system.outputs, time.time()))
    if workflow == "backfill_usage":
        now = int(time.time() * 1000)
        usage = {"tenantId": TENANT, "meterApiName": METER, "meterValue": 1, "meterTimeInMillis": now}
        system.client("s3").put_object(Bucket=request["bucket"], Key=FILE, Body=json.dumps(usage).encode())
    response = _run(system, workflow, request)
    assert response["statusCode"] == (201 if workflow == "create_meter" else 200), response
    if workflow in {"ingest_usage", "backfill_usage"}:
        assert sandbox_of(system).totals(METER) == {TENANT: 1}
