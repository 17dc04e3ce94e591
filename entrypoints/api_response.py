"""The HTTP response for the outcome of an execution.

| error of the execution | status |
|---|---|
| ``AmberfloThrottled``, or throttling by Step Functions or Lambda | 503 with ``Retry-After`` |
| ``AmberfloUnavailable``, ``AmberfloUnauthorized``, ``AmberfloBatchRejected``, ``ApiKeyUnavailable``, |
| ``ReceiptNotWritten``, ``LedgerUnavailable``, ``UnreadableObject`` | 502 |
| ``States.Timeout``, ``MeterTimedOut``, no result in time, or a lost connection | 504 |
| any other: an internal error | 500 |
"""

from dataclasses import dataclass
from typing import Any, Final

from aws_lambda_powertools import Logger

from amberflo_workflows.core.aws_call import AwsError
from amberflo_workflows.core.claim_check import ResponseNotFetched, redeem
from amberflo_workflows.core.connections import NoResponse
from amberflo_workflows.entrypoints import workflows
from amberflo_workflows.entrypoints.workflows import LAMBDA_THROTTLED, WorkflowResult

logger = Logger(child=True)

# Above the 25 s after which a synchronous workflow ends, below the API function's own 29 s.
STEP_FUNCTIONS: Final = workflows.step_functions(read_seconds=27)
# The workflow has waited some seconds already; an earlier call would be throttled again.
RETRY_AFTER_SECONDS: Final = 10

_STATUS_BY_ERROR: Final = {
    "AmberfloThrottled": 503,
    "AmberfloUnavailable": 502,
    "AmberfloUnauthorized": 502,
    "AmberfloBatchRejected": 502,
    "ApiKeyUnavailable": 502,
    "ReceiptNotWritten": 502,
    "LedgerUnavailable": 502,
    "UnreadableObject": 502,
    "States.Timeout": 504,
    "MeterTimedOut": 504,
    LAMBDA_THROTTLED: 503,
}
_LAMBDA_IS_THROTTLING: Final = "AWS Lambda is throttling: all concurrent executions of the account are in use."
_TIMED_OUT: Final = "The workflow timed out. It may have taken effect: check before you repeat the call."
_CONNECTION_LOST: Final = (
    "The connection to Step Functions was lost. The call may have taken effect: check before you repeat it."
)
_NOT_REACHED: Final = "Step Functions could not be reached."
_INTERNAL_ERROR: Final = "The workflow failed with an internal error. See its execution."


@dataclass(frozen=True)
class ApiResponse:
    """An HTTP response; ``execution_arns`` are the executions behind it."""

    status: int
    body: dict[str, Any]
    execution_arns: tuple[str, ...] = ()

    @property
    def headers(self) -> dict[str, str]:
        """``x-execution-arn``, and on a 503 ``Retry-After`` (seconds)."""
        headers = {"x-execution-arn": ", ".join(self.execution_arns)} if self.execution_arns else {}
        if self.status == 503:
            headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return headers


def build_error(status: int, message: str, *execution_arns: str) -> ApiResponse:
    """Build an error response: all errors have the same format."""
    return ApiResponse(status, {"statusCode": status, "message": message}, execution_arns)


def run_for_caller(machine_arn: str, request: object, *, repeatable: bool, name: str = "") -> ApiResponse:
    """Run a workflow and return its outcome as a response. Errors of AWS become responses, too.

    ``repeatable`` is that of :func:`~amberflo_workflows.entrypoints.workflows.run_workflow`; ``name`` is for the
    execution, by default one that Step Functions chooses.
    """
    try:
        start = workflows.start_with_api(STEP_FUNCTIONS, name)
        return build_response(workflows.run_workflow(machine_arn, request, start, repeatable=repeatable))
    except workflows.InputTooLarge as error:
        return build_error(413, str(error))
    except AwsError as error:
        return build_start_error(error.code)
    except NoResponse as error:
        if error.was_sent and error.timed_out:
            return build_error(504, _TIMED_OUT)
        logger.exception("no response from Step Functions")
        return build_error(504, _CONNECTION_LOST) if error.was_sent else build_error(500, _NOT_REACHED)


def build_response(result: WorkflowResult) -> ApiResponse:
    """Build the response for an execution that ended."""
    if result.output is not None:
        return _build_output_response(result.output, result.arn)
    logger.error("execution failed", extra={"execution_arn": result.arn, "error": result.error})
    status = _STATUS_BY_ERROR.get(result.error, 500)
    # Only our own messages are passed on. A message of the Lambda runtime may contain anything.
    message = {500: _INTERNAL_ERROR, 504: _TIMED_OUT}.get(status, result.cause)
    if result.error == LAMBDA_THROTTLED:
        message = _LAMBDA_IS_THROTTLING
    return build_error(status, message, result.arn)


def _build_output_response(output: dict[str, Any], arn: str) -> ApiResponse:
    if "claim" not in output:
        return ApiResponse(output["statusCode"], output["body"], (arn,))
    try:
        return ApiResponse(output["statusCode"], redeem(output["claim"]), (arn,))
    except ResponseNotFetched:
        logger.exception("large answer not fetched", extra={"execution_arn": arn})
        return build_error(500, "The response could not be fetched from its bucket. Repeat the call.", arn)


def build_start_error(code: str) -> ApiResponse:
    """Build the response for an error of Step Functions itself."""
    logger.error("execution not started", extra={"error": code})
    if workflows.is_throttled(code):
        return build_error(503, "Step Functions is throttling; nothing was started.")
    return build_error(500, f"The workflow could not be started ({code}).")
