"""Send a usage event that the SaaS Builder Toolkit passes to a Lambda to the queue for usage.

The message is the event as EventBridge's own rule would have sent it. If it cannot be sent, Lambda retries, and then
the event goes to the function's dead-letter queue.
"""

import os
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from amberflo_workflows.entrypoints.bus_event import encode_event

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


# Not core.aws: boto3 is imported at module level, since every invocation needs it, with botocore's own timeouts.
@cache
def _client() -> "SQSClient":
    return boto3.client("sqs")


def handler(event: dict[str, Any], _context: LambdaContext) -> None:
    _client().send_message(QueueUrl=os.environ["QUEUE_URL"], MessageBody=encode_event(event))
