"""Start an execution."""

import json
from dataclasses import dataclass
from typing import Any, Final

from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.executions.machines import Machine
from amberflo_workflows.operate.executions.model import Status

MOST_BYTES: Final = 262_144


@dataclass(frozen=True)
class StartedExecution:
    """An execution that was started; what came of it is known at once if it was waited for and is an express one."""

    arn: str
    status: Status = Status.RUNNING
    output: str | None = None
    error: str = ""
    cause: str = ""


def start_execution(deployment: Deployment, machine: Machine, text: str, *, wait: bool) -> StartedExecution:
    """Start a workflow with an input, given as JSON text. Raises :class:`OperatorError` if it cannot be one.

    ``wait`` is for the end of an express execution; a standard one has to be followed.
    """
    _check(text)
    client = deployment.client("stepfunctions")
    if not (wait and machine.is_express):
        return StartedExecution(client.start_execution(stateMachineArn=machine.arn, input=text)["executionArn"])
    ended: dict[str, Any] = client.start_sync_execution(stateMachineArn=machine.arn, input=text)
    status = Status.of(ended["status"])
    output = ended.get("output") if status is Status.SUCCEEDED else None
    return StartedExecution(ended["executionArn"], status, output, ended.get("error", ""), ended.get("cause", ""))


def _check(text: str) -> None:
    try:
        json.loads(text)
    except ValueError as error:
        raise OperatorError(f"The input is no JSON: {error}.") from None
    if len(text.encode(errors="replace")) > MOST_BYTES:
        raise OperatorError(f"The input has more than {MOST_BYTES:,} bytes, which no execution takes.")
