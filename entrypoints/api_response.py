"""What an HTTP caller is told of an execution: the status table of the API.

| error of the execution | status |
|---|---|
| ``AmberfloThrottled``, Step Functions itself throttling | 503 with ``Retry-After`` |
| ``AmberfloUnavailable``, ``AmberfloUnauthorized``, ``AmberfloBatchRejected``, ``ApiKeyUnavailable`` | 502 |
| ``States.Timeout``, or no answer in time | 504 |
| anything else: a fault of ours | 500 |
"""

from dataclasses import dataclass
from typing import Any, Final

from aws_lambda_powertools import Logger

from amberflo_workflows.core.claim_check import ResponseNotFetched, redeem
from amberflo_workflows.entrypoints import workflows
from amberflo_workflows.entrypoints.workflows import WorkflowResult

logger = Logger(child=True)

# Above the 25 s after which a synchronous workflow ends itself, below the API function's own 29 s.
READ_TIMEOUT_SECONDS: Final = 27
# The workflow has waited some seconds already; sooner would meet the same throttle.
RETRY_AFTER_SECONDS: Final = 10

_STATUS: Final = {
    "AmberfloThrottled": 503,
    "AmberfloUnavailable": 502,
    "AmberfloUnauthorized": 502,
    "AmberfloBatchRejected": 502,
    "ApiKeyUnavailable": 502,
    "States.Timeout": 504,
}
_LATE: Final = "The workflow's time ran out. What it began may still take effect: look before you repeat the call."
_BROKEN: Final = "The workflow failed for a reason of its own; its execution tells which."


@dataclass(frozen=True)
class ApiResponse:
    """An HTTP answer; ``execution_arns`` are those that worked on it."""

    status: int
    body: dict[str, Any]
    execution_arns: tuple[str, ...] = ()

    @property
    def headers(self) -> dict[str, str]:
        """``x-execution-arn`` to find the execution by, ``Retry-After`` (seconds) where a later call may do better."""
        headers = {"x-execution-arn": ", ".join(self.execution_arns)} if self.execution_arns else {}
        if self.status == 503:
            headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return headers


def api_error(status: int, message: str, *execution_arns: str) -> ApiResponse:
    """A reply in the one shape that all errors have."""
    return ApiResponse(status, {"statusCode": status, "message": message}, execution_arns)


def run_for_caller(machine_arn: str, request: object) -> ApiResponse:
    """Run a workflow and tell its outcome; never raises for what AWS answers."""
    from botocore.exceptions import (  # noqa: PLC0415 - see workflows.client
        BotoCoreError,
        ClientError,
        ReadTimeoutError,
    )

    try:
        return response_of_result(
            workflows.run_workflow(machine_arn, request, workflows.step_functions_client(READ_TIMEOUT_SECONDS))
        )
    except workflows.InputTooLarge as error:
        return api_error(413, str(error))
    except ReadTimeoutError:
        return api_error(504, _LATE)
    except ClientError as error:
        return _not_started(error.response.get("Error", {}).get("Code", ""))
    except BotoCoreError:
        logger.exception("Step Functions could not be reached")
        return api_error(500, "Step Functions could not be reached.")


def response_of_result(finished: WorkflowResult) -> ApiResponse:
    """The reply to an execution that ended."""
    if finished.output is not None:
        return _answer(finished.output, finished.arn)
    logger.error("execution failed", extra={"execution_arn": finished.arn, "error": finished.error})
    status = _STATUS.get(finished.error, 500)
    # Only messages of our own are passed on; what a runtime says may hold anything.
    message = {500: _BROKEN, 504: _LATE}.get(status, finished.cause)
    return api_error(status, message, finished.arn)


def _answer(output: dict[str, Any], arn: str) -> ApiResponse:
    if "claim" not in output:
        return ApiResponse(output["statusCode"], output["body"], (arn,))
    try:
        return ApiResponse(output["statusCode"], redeem(output["claim"]), (arn,))
    except ResponseNotFetched:
        logger.exception("large answer not fetched", extra={"execution_arn": arn})
        return api_error(500, "The answer was made, and could not be fetched from its bucket. Ask again.", arn)


def _not_started(code: str) -> ApiResponse:
    logger.error("execution not started", extra={"error": code})
    if workflows.is_throttled(code):
        return api_error(503, "Step Functions is throttling; nothing was started.")
    return api_error(500, f"The workflow could not be started ({code}).")
