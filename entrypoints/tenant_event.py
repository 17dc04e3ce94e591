"""Start a workflow for a tenant event that the SaaS Builder Toolkit passes to a Lambda.

The event's id is the execution's name, so that an event that is delivered twice is one execution. If the workflow
cannot be started, Lambda retries, and then the event goes to the function's dead-letter queue.
"""

import os
import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from amberflo_workflows.entrypoints.bus_event import encode_event

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

_EXECUTION_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")


# Not core.aws: boto3 is imported at module level, since every invocation needs it, with botocore's own timeouts.
@cache
def _client() -> "SFNClient":
    return boto3.client("stepfunctions")


def handler(event: dict[str, Any], _context: LambdaContext) -> None:
    """Start the execution, unless an execution with the event's id exists already."""
    client, machine_arn, text = _client(), os.environ["STATE_MACHINE_ARN"], encode_event(event)
    name = str(event.get("id", ""))
    if not _EXECUTION_NAME.fullmatch(name):
        client.start_execution(stateMachineArn=machine_arn, input=text)
        return
    try:
        client.start_execution(stateMachineArn=machine_arn, name=name, input=text)
    except client.exceptions.ExecutionAlreadyExists:
        return
