"""Start a workflow and wait for its result."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from amberflo_workflows.core import aws

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_stepfunctions.type_defs import StartSyncExecutionOutputTypeDef

# The limit of Step Functions for an input, counted in UTF-8.
MAX_INPUT_BYTES: Final = 262_144
# The error of an execution for whose step no concurrent Lambda was left in the account, after the retries.
LAMBDA_THROTTLED: Final = "Lambda.TooManyRequestsException"


class InputTooLarge(ValueError):
    """A request is too large for the input of a workflow."""


@dataclass(frozen=True)
class WorkflowResult:
    """The result of an execution.

    ``output`` is ``None`` unless the execution succeeded; ``error`` is the error's name, ``cause`` its message.
    """

    arn: str
    output: dict[str, Any] | None
    error: str = ""
    cause: str = ""


def step_functions_client(read_timeout_seconds: int) -> "SFNClient":
    """Return the client for :func:`run_workflow`. It makes one attempt: the caller decides on a second execution."""
    stepfunctions: SFNClient = aws.client(
        "stepfunctions", read_seconds=read_timeout_seconds, attempts=1, max_pool_connections=32
    )
    return stepfunctions


def run_workflow(
    machine_arn: str, request: object, step_functions_client: "SFNClient", *, repeatable: bool
) -> WorkflowResult:
    """Run a workflow to its end.

    One that only reads, or sends usage with fixed identities, is ``repeatable``: it runs again if the connection is
    lost. Any other is started on a new connection, since the service may have closed those of earlier calls.

    Raises :class:`InputTooLarge`, and botocore's errors if it cannot be started or does not end in time.
    """
    text = msgspec.json.encode(request)
    if len(text) > MAX_INPUT_BYTES:
        raise InputTooLarge(f"The input has {len(text):,} bytes; the limit of a workflow is {MAX_INPUT_BYTES:,}.")

    def start() -> "StartSyncExecutionOutputTypeDef":
        return step_functions_client.start_sync_execution(stateMachineArn=machine_arn, input=text.decode())

    if repeatable:
        response = aws.repeat_if_disconnected(start)
    else:
        step_functions_client.close()
        response = start()
    if response["status"] == "SUCCEEDED":
        return WorkflowResult(response["executionArn"], msgspec.json.decode(response["output"]))
    error = "States.Timeout" if response["status"] == "TIMED_OUT" else response.get("error", "States.Runtime")
    return WorkflowResult(response["executionArn"], None, error, _parse_cause(response.get("cause", "")))


def is_throttled(code: str) -> bool:
    """Whether an error code of Step Functions means that there were too many calls, so that nothing was started."""
    return "Throttling" in code or code in {"TooManyRequestsException", "ServiceQuotaExceededException"}


def _parse_cause(cause: str) -> str:
    """Return the message of the error, without the stack trace that a failed Lambda adds to it."""
    try:
        report = json.loads(cause)
    except ValueError:
        return cause
    return str(report.get("errorMessage", "")) if isinstance(report, dict) else ""
