"""Start a workflow and wait for its result."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

from amberflo_workflows.core.aws_call import AwsApi

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


class Start(Protocol):
    """Starts an execution with a JSON text as its input, and returns how it ended, as Step Functions does.

    If it is ``repeatable``, it may be started twice when a connection is lost.
    """

    def __call__(self, machine_arn: str, text: str, *, repeatable: bool) -> Mapping[str, Any]: ...


def step_functions(read_seconds: float) -> AwsApi:
    """Return the API for a Lambda that waits ``read_seconds`` for an execution."""
    return AwsApi(
        service="stepfunctions",
        signing_name="states",
        host="sync-states",
        endpoint_variable="AWS_ENDPOINT_URL_SFN",
        target="AWSStepFunctions",
        json_version="1.0",
        connect_seconds=2,
        read_seconds=read_seconds,
    )


def start_with_api(api: AwsApi, name: str = "") -> Start:
    """Return how a Lambda starts executions, with a name that Step Functions chooses if it is empty.

    It raises what :meth:`AwsApi.call` raises.
    """
    names = {"name": name} if name else {}

    def start(machine_arn: str, text: str, *, repeatable: bool) -> Mapping[str, Any]:
        parameters = {"stateMachineArn": machine_arn, "input": text, **names}
        return api.call("StartSyncExecution", parameters, repeatable=repeatable)

    return start


def run_workflow(machine_arn: str, request: object, start: Start, *, repeatable: bool) -> WorkflowResult:
    """Run a workflow to its end.

    One that only reads, or sends usage with fixed identities, is ``repeatable``. Raises :class:`InputTooLarge`, and the
    errors of ``start`` if it cannot be started or does not end in time.
    """
    text = msgspec.json.encode(request)
    if len(text) > MAX_INPUT_BYTES:
        raise InputTooLarge(f"The input has {len(text):,} bytes; the limit of a workflow is {MAX_INPUT_BYTES:,}.")
    response = start(machine_arn, text.decode(), repeatable=repeatable)
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
