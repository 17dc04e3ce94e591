"""Stop and redrive executions: on the emulator, which cannot redrive, and with the responses of AWS to a redrive.

The responses are those of https://docs.aws.amazon.com/step-functions/latest/apireference/API_RedriveExecution.html. A
server of the test sends them to a real client, because neither the emulator nor moto has the operation.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import boto3
import pytest

from amberflo_workflows.local.system import System
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.executions.control import STOP_ERROR, redrive_execution, stop_execution
from amberflo_workflows.operate.executions.executions import Executions
from amberflo_workflows.operate.executions.model import Status
from amberflo_workflows.operate.executions.reader import NoSuchExecution
from tests.conftest import sandbox_of
from tests.http_server import serving
from tests.polling import wait_until
from tests.workflows.tenant_events import ONBOARDING


@contextmanager
def _running(system: System, workflow: str, request: Any) -> Iterator[str]:
    """An execution that runs until the end of the block: Amberflo does not respond."""
    sandbox_of(system).set_faults([{"kind": "hang", "seconds": 120}])
    machine = system.state_machine_arns[workflow]
    arn = system.client("stepfunctions").start_execution(stateMachineArn=machine, input=json.dumps(request))
    assert wait_until(lambda: sandbox_of(system).faults()[0]["struck"] > 0)
    yield str(arn["executionArn"])
    sandbox_of(system).clear_faults()


@pytest.mark.emulator
def test_a_standard_execution_is_stopped_with_the_cause(system: System) -> None:
    executions = Executions(system)
    with _running(system, "create_customer", ONBOARDING) as arn:
        stop_execution(system, executions, arn, "wrong tenant")
        execution = executions.get(arn)
    assert (execution.summary.status, execution.error, execution.cause) == (Status.ABORTED, STOP_ERROR, "wrong tenant")
    assert execution.states[-1].status is Status.ABORTED
    with pytest.raises(OperatorError, match="has already ended: aborted"):
        stop_execution(system, executions, arn, "")
    with pytest.raises(OperatorError, match="The emulator of the local system cannot redrive executions"):
        redrive_execution(system, executions, arn)
    with pytest.raises(NoSuchExecution):
        stop_execution(system, executions, f"{arn}-other", "")


@pytest.mark.emulator
def test_an_express_execution_or_an_item_of_a_map_is_refused(system: System) -> None:
    executions = Executions(system)
    with _running(system, "list_meters", {}) as arn:
        with pytest.raises(OperatorError, match="Express executions cannot be stopped"):
            stop_execution(system, executions, arn, "")
        with pytest.raises(OperatorError, match="Express executions cannot be redriven"):
            redrive_execution(system, executions, arn)
        assert executions.get(arn).summary.status is Status.RUNNING
    child = system.state_machine_arns["backfill_usage"].replace(":stateMachine:", ":execution:") + "/SendRanges:one"
    with pytest.raises(OperatorError, match=r"one item of a Map state\. Stop its parent"):
        stop_execution(system, executions, child, "")
    with pytest.raises(OperatorError, match=r"one item of a Map state\. Redrive its parent"):
        redrive_execution(system, executions, child)


class _StubbedDeployment:
    """A deployment whose Step Functions is a server of the test."""

    def __init__(self, url: str) -> None:
        self.state_machine_arns = {"create_customer": "arn:aws:states:us-east-1:111122223333:stateMachine:Machine"}
        self._url = url

    def client(self, service: str) -> Any:
        credentials = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
        return boto3.client(service, region_name="us-east-1", endpoint_url=self._url, **credentials)  # type: ignore[call-overload] # any service


def _stub(status: str, code: int, response: dict[str, Any], calls: list[str]) -> type[BaseHTTPRequestHandler]:
    machine = {"type": "STANDARD", "definition": "{}", "name": "Machine"}
    described = {"executionArn": ARN, "status": status, "startDate": 1, "stopDate": 2, "input": "{}"}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            operation = self.headers["x-amz-target"].split(".")[1]
            calls.append(operation)
            responses = {"DescribeStateMachine": (200, machine), "DescribeExecution": (200, described)}
            own_code, own = responses.get(operation, (code, response))
            body = json.dumps(own).encode()
            self.send_response(own_code)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    return Handler


ARN = "arn:aws:states:us-east-1:111122223333:execution:Machine:name"


def _redrive(status: str, code: int, response: dict[str, Any]) -> list[str]:
    """Redrive an execution with a status, when Step Functions gives a response; returns the operations called."""
    calls: list[str] = []
    with serving(_stub(status, code, response, calls)) as url:
        deployment: Any = _StubbedDeployment(url)
        redrive_execution(deployment, Executions(deployment), ARN)
    return calls


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_a_failed_standard_execution_is_redriven(status: str) -> None:
    assert _redrive(status, 200, {"redriveDate": 3})[-1] == "RedriveExecution"


def test_an_execution_that_step_functions_cannot_redrive_is_refused_with_its_reason() -> None:
    refusal = {"__type": "ExecutionNotRedrivable", "message": "Execution was started before redrive was available."}
    with pytest.raises(OperatorError, match="cannot redrive this execution: Execution was started before"):
        _redrive("FAILED", 400, refusal)
    with pytest.raises(OperatorError, match="The status of this one is running"):
        _redrive("RUNNING", 200, {})
