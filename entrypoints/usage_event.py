"""A usage event that the SaaS Builder Toolkit hands to a Lambda, put into the queue that all usage goes through.

The message is the event as EventBridge's own rule would have queued it. What cannot be queued is tried again by
Lambda, and then waits in the function's dead-letter queue.
"""

import os
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from amberflo_workflows.entrypoints.bus_event import event_text

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@cache
def _client() -> "SQSClient":
    return boto3.client("sqs")


def handler(event: dict[str, Any], _context: LambdaContext) -> None:
    _client().send_message(QueueUrl=os.environ["QUEUE_URL"], MessageBody=event_text(event))
