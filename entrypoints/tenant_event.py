"""A tenant event that the SaaS Builder Toolkit hands to a Lambda, given to the workflow that it is for.

The event's id is the execution's name, so that an event delivered twice is one execution. What cannot be started is
tried again by Lambda, and then waits in the function's dead-letter queue.
"""

import os
import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from amberflo_workflows.entrypoints.bus_event import event_text

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")


@cache
def _client() -> "SFNClient":
    return boto3.client("stepfunctions")


def handler(event: dict[str, Any], _context: LambdaContext) -> None:
    """Lambda entry point. An execution that is there already has dealt with the event, or is at it."""
    client, machine, text = _client(), os.environ["STATE_MACHINE_ARN"], event_text(event)
    name = str(event.get("id", ""))
    if not _NAME.fullmatch(name):
        client.start_execution(stateMachineArn=machine, input=text)
        return
    try:
        client.start_execution(stateMachineArn=machine, name=name, input=text)
    except client.exceptions.ExecutionAlreadyExists:
        return
