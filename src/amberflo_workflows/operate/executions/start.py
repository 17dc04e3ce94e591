"""Start an execution."""

import json
from dataclasses import dataclass
from typing import Any, Final

from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.executions.machines import Machine
from amberflo_workflows.operate.executions.model import Status

MAX_INPUT_BYTES: Final = 262_144


@dataclass(frozen=True)
class StartedExecution:
    """An execution that was started; it has a result if it was waited for, which only express workflows allow."""

    arn: str
    status: Status = Status.RUNNING
    output: str | None = None
    error: str = ""
    cause: str = ""


def start_execution(deployment: Deployment, machine: Machine, text: str, *, wait: bool) -> StartedExecution:
    """Start a workflow with an input, given as JSON text. Raises :class:`OperatorError` if the input is invalid.

    ``wait`` waits for the end of an express execution. It has no effect on a standard one, which has to be followed.
    """
    _validate_input(text)
    client = deployment.client("stepfunctions")
    if not (wait and machine.is_express):
        return StartedExecution(client.start_execution(stateMachineArn=machine.arn, input=text)["executionArn"])
    response: dict[str, Any] = client.start_sync_execution(stateMachineArn=machine.arn, input=text)
    status = Status.parse(response["status"])
    output = response.get("output") if status is Status.SUCCEEDED else None
    error, cause = response.get("error", ""), response.get("cause", "")
    return StartedExecution(response["executionArn"], status, output, error, cause)


def _validate_input(text: str) -> None:
    try:
        json.loads(text)
    except ValueError as error:
        raise OperatorError(f"The input is not valid JSON: {error}.") from None
    if len(text.encode(errors="replace")) > MAX_INPUT_BYTES:
        raise OperatorError(f"The input is too large: an execution accepts at most {MAX_INPUT_BYTES:,} bytes.")
