"""Stop an execution that runs, and continue one that has failed. Step Functions can do both with standard ones only."""

from typing import Any, Final

from botocore.exceptions import ClientError

from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.executions.executions import Executions
from amberflo_workflows.operate.executions.model import Status

# What an emulator responds to an operation that it does not have.
_UNKNOWN_OPERATION: Final = {"InvalidAction", "UnknownOperationException", "UnknownOperation", "NotImplemented"}
_NOT_REDRIVABLE: Final = {"ExecutionNotRedrivable", "ValidationException"}
STOP_ERROR: Final = "StoppedByOperator"


def stop_execution(deployment: Deployment, executions: Executions, arn: str, cause: str) -> None:
    """Stop an execution that is running; the ``cause`` is stored in it.

    Raises :class:`OperatorError` if it cannot be stopped, or has ended.
    """
    if executions.machines.get_by_execution(arn).is_express:
        raise OperatorError("Express executions cannot be stopped. They end by themselves within five minutes.")
    _reject_child(arn, "Stop")
    status = executions.get_status(arn)
    if status is not Status.RUNNING:
        raise OperatorError(f"The execution has already ended: {status.value}.")
    deployment.client("stepfunctions").stop_execution(executionArn=arn, error=STOP_ERROR, cause=cause)


def redrive_execution(deployment: Deployment, executions: Executions, arn: str) -> None:
    """Continue an execution from the state that failed.

    Raises :class:`OperatorError` if it has not failed, or Step Functions cannot continue it.
    """
    if executions.machines.get_by_execution(arn).is_express:
        raise OperatorError("Express executions cannot be redriven. Start the workflow again with the same input.")
    _reject_child(arn, "Redrive")
    status = executions.get_status(arn)
    if not status.is_failure:
        raise OperatorError(f"Only an execution that failed can be redriven. The status of this one is {status.value}.")
    client: Any = deployment.client("stepfunctions")
    try:
        client.redrive_execution(executionArn=arn)
    except ClientError as error:
        code, message = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
        if code in _UNKNOWN_OPERATION:
            raise OperatorError(
                "The emulator of the local system cannot redrive executions, as Step Functions on AWS can. Start the "
                "workflow again with the same input."
            ) from None
        if code in _NOT_REDRIVABLE:
            raise OperatorError(f"Step Functions cannot redrive this execution: {message}") from None
        raise


def _reject_child(arn: str, verb: str) -> None:
    if "/" in arn.split(":")[6]:
        raise OperatorError(f"This is the execution of one item of a Map state. {verb} its parent instead.")
