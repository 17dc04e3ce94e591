"""Operations that take longer than a call may: a call starts the workflow, and others ask for its outcome.

The id of such an operation is the name of its execution.
"""

import re
import uuid
from typing import Any, Final

import msgspec
from aws_lambda_powertools import Logger

from amberflo_workflows.core.aws_call import AwsError
from amberflo_workflows.core.connections import NoResponse
from amberflo_workflows.core.executions import describe_execution, start_execution
from amberflo_workflows.core.response import StepResponse
from amberflo_workflows.entrypoints.api_response import ApiResponse, build_error, build_start_error

logger = Logger(child=True)

# What Step Functions accepts as a name, without the characters of ARNs.
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")
_NOT_REACHED: Final = "Step Functions could not be reached."
_STATUSES: Final = {"RUNNING": "running", "PENDING_REDRIVE": "running", "SUCCEEDED": "succeeded"}


def start(machine_arn: str, request: object) -> ApiResponse:
    """Start a workflow, and respond with 202 and its id. Errors of AWS become responses, too."""
    execution_id = str(uuid.uuid4())
    try:
        arn = start_execution(machine_arn, execution_id, request)
    except AwsError as error:
        return build_start_error(error.code)
    except NoResponse:
        logger.exception("no response from Step Functions")
        return build_error(504, _NOT_REACHED)
    return ApiResponse(202, {"data": {"id": execution_id, "status": "running"}}, (arn,))


def describe(machine_arn: str, execution_id: str, noun: str) -> ApiResponse:
    """Respond with the status of a workflow, and with its result if it succeeded. 404 if there is none."""
    not_found = build_error(404, f"The {noun} '{execution_id}' was not found.")
    if not _ID.fullmatch(execution_id):
        return not_found
    try:
        execution = describe_execution(machine_arn, execution_id)
    except AwsError as error:
        return not_found if error.code == "ExecutionDoesNotExist" else build_start_error(error.code)
    except NoResponse:
        logger.exception("no response from Step Functions")
        return build_error(504, _NOT_REACHED)
    return _build_status(execution, execution_id)


def _build_status(execution: dict[str, Any], execution_id: str) -> ApiResponse:
    arn = execution["executionArn"]
    data = {"id": execution_id, "status": _STATUSES.get(execution["status"], "failed")}
    if data["status"] == "failed":
        # Its cause may be a message of the Lambda runtime, which may contain anything.
        error = execution.get("error", "States.Timeout" if execution["status"] == "TIMED_OUT" else "")
        return ApiResponse(200, {"data": {**data, "error": error}}, (arn,))
    if data["status"] == "running":
        return ApiResponse(200, {"data": data}, (arn,))
    output = msgspec.json.decode(execution["output"], type=StepResponse)
    if output["statusCode"] != 200:
        return ApiResponse(output["statusCode"], output["body"], (arn,))
    return ApiResponse(200, {"data": {**data, "result": output["body"]["data"]}}, (arn,))
