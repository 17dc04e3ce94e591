"""Start a workflow and wait for its answer."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from amberflo_workflows.core import aws

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

# What Step Functions takes as input, counted in UTF-8.
MAX_INPUT_BYTES: Final = 262_144


class InputTooLarge(ValueError):
    """A request is larger than what a workflow can be given."""


@dataclass(frozen=True)
class WorkflowResult:
    """An execution that ended.

    ``output`` is its answer, ``None`` unless it succeeded; ``error`` the error's name, ``cause`` its message.
    """

    arn: str
    output: dict[str, Any] | None
    error: str = ""
    cause: str = ""


def step_functions_client(read_timeout_seconds: int) -> "SFNClient":
    """The client for :func:`run_workflow`. It makes one attempt: a second execution is the caller's decision."""
    stepfunctions: SFNClient = aws.client(
        "stepfunctions", read_seconds=read_timeout_seconds, attempts=1, max_pool_connections=32
    )
    return stepfunctions


def run_workflow(machine_arn: str, request: object, step_functions_client: "SFNClient") -> WorkflowResult:
    """Run a workflow to its end.

    Raises :class:`InputTooLarge`, and botocore's errors when it cannot be started or heard of in time.
    """
    given = msgspec.json.encode(request)
    if len(given) > MAX_INPUT_BYTES:
        raise InputTooLarge(f"The input has {len(given):,} bytes; a workflow takes at most {MAX_INPUT_BYTES:,}.")
    answer = step_functions_client.start_sync_execution(stateMachineArn=machine_arn, input=given.decode())
    if answer["status"] == "SUCCEEDED":
        return WorkflowResult(answer["executionArn"], msgspec.json.decode(answer["output"]))
    error = "States.Timeout" if answer["status"] == "TIMED_OUT" else answer.get("error", "States.Runtime")
    return WorkflowResult(answer["executionArn"], None, error, _message(answer.get("cause", "")))


def is_throttled(code: str) -> bool:
    """Whether an error of Step Functions says that there were too many calls, so that nothing was started."""
    return "Throttling" in code or code in {"TooManyRequestsException", "ServiceQuotaExceededException"}


def _message(cause: str) -> str:
    """Our own sentence out of a failed Lambda's report, which holds a stack trace beside it."""
    try:
        report = json.loads(cause)
    except ValueError:
        return cause
    return str(report.get("errorMessage", "")) if isinstance(report, dict) else ""
