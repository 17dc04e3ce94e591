"""What AWS passes to the entry points: a batch of messages, or a request of the HTTP API."""

import json
from typing import Any

from ministack.services import sqs

from amberflo_workflows.entrypoints import api, ingest_queue
from tests.histories.faults import Kind, WorkerKilled
from tests.histories.lambdas import Context
from tests.histories.stack import Stack

Message = dict[str, Any]


def receive(stack: Stack, count: int) -> list[Message]:
    """Receive up to this many visible messages, in the form in which Lambda passes them on."""
    messages: list[Message] = []
    while received := sqs._receive_messages_for_esm(stack.outputs["UsageQueueUrl"], count - len(messages)):
        messages += map(_build_record, received)
        if len(messages) == count:
            break
    return messages


def deliver(messages: list[Message]) -> list[Message]:
    """Invoke the queue's function with messages. Return those that it acknowledges."""
    response = ingest_queue.handler({"Records": messages}, Context())
    failed = {failure["itemIdentifier"] for failure in response["batchItemFailures"]}
    return [message for message in messages if message["messageId"] not in failed]


def delete(stack: Stack, messages: list[Message]) -> None:
    """Delete acknowledged messages, as Lambda does. Raises ``WorkerKilled`` if the acknowledgement is lost."""
    if stack.network.strikes.strikes(Kind.KILLED_AT_QUEUE):
        raise WorkerKilled
    sqs._delete_messages_for_esm(stack.outputs["UsageQueueUrl"], {message["receiptHandle"] for message in messages})


def call_api(method: str, path: str, body: Any, key: str | None = None) -> tuple[int, Any]:
    """Call the HTTP API; return the status and the body."""
    http = {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "test"}
    authorizer = {"jwt": {"claims": {"sub": "caller"}, "scopes": []}}
    event = {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json", **({"idempotency-key": key} if key else {})},
        "requestContext": {"http": http, "requestId": "request", "stage": "$default", "authorizer": authorizer},
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }
    response = api.handler(event, Context())  # type: ignore[arg-type] # has what is read
    return response["statusCode"], json.loads(response["body"])


def _build_record(message: Message) -> Message:
    return {
        "messageId": message["id"],
        "receiptHandle": message["receipt_handle"],
        "body": message["body"],
        "attributes": {
            "ApproximateReceiveCount": str(message["receive_count"]),
            "SentTimestamp": message["sys"]["SentTimestamp"],
        },
        "messageAttributes": {},
        "md5OfBody": message["md5_body"],
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:usage",
        "awsRegion": "us-east-1",
    }
