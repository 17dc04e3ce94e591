"""Start a workflow for a tenant event that the SaaS Builder Toolkit passes to a Lambda.

The event's id is the execution's name, so that an event that is delivered twice is one execution. Step Functions keeps
a name for 90 days, so an event that is replayed after its execution failed gets a name with a number. If the workflow
cannot be started, Lambda retries, and then the event goes to the function's dead-letter queue.
"""

import os
import re
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from amberflo_workflows.entrypoints.bus_event import encode_event

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

# Of the 80 characters that a name may have, the rest is for the number.
_EXECUTION_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,70}")


# Not core.aws: boto3 is imported at module level, since every invocation needs it, with botocore's own timeouts.
@cache
def _client() -> "SFNClient":
    return boto3.client("stepfunctions")


def handler(event: dict[str, Any], _context: LambdaContext) -> None:
    """Start the execution, unless one with the event's id is running or has succeeded."""
    client, machine_arn, text = _client(), os.environ["STATE_MACHINE_ARN"], encode_event(event)
    event_id = str(event.get("id", ""))
    if not _EXECUTION_NAME.fullmatch(event_id):
        client.start_execution(stateMachineArn=machine_arn, input=text)
        return
    names = (f"{event_id}-{number}" if number > 1 else event_id for number in count(1))
    for name in names:
        try:
            client.start_execution(stateMachineArn=machine_arn, name=name, input=text)
        except client.exceptions.ExecutionAlreadyExists:
            if _has_failed(client, machine_arn, name):
                continue
        return


def _has_failed(client: "SFNClient", machine_arn: str, name: str) -> bool:
    execution_arn = f"{machine_arn.replace(':stateMachine:', ':execution:')}:{name}"
    return client.describe_execution(executionArn=execution_arn)["status"] not in {"RUNNING", "SUCCEEDED"}
