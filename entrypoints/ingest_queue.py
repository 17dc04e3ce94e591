"""Usage events from the queue, in batches, to ``ingest_usage``.

Each SQS message is one EventBridge event. Messages whose usages were not all dealt with are reported back, so
that SQS delivers those again; a usage that comes twice is the same record and counts once.
"""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from amberflo_workflows.entrypoints import workflows
from amberflo_workflows.entrypoints.usages import Usage, chunks, usages_in

logger = Logger()

# Above the 240 s after which ingest_usage ends itself, below the function's own 270 s.
READ_TIMEOUT_SECONDS: Final = 250
# Executions of one invocation at a time: each is mostly waiting, and a large batch has to end in time.
PARALLEL_CHUNKS: Final = 8


class UsageNotSent(Exception):
    """A message stays in the queue, because an execution with usages of it failed."""


def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Lambda entry point for an SQS event source mapping with partial batch responses."""
    unsent = _unsent_messages(event["Records"])

    def settle(record: SQSRecord) -> None:
        if record.message_id in unsent:
            raise UsageNotSent(unsent[record.message_id])

    return process_partial_response(
        event=event,
        record_handler=settle,
        processor=BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False),
        context=context,
    )


def _unsent_messages(records: list[dict[str, Any]]) -> dict[str, str]:
    """Ids of messages to be delivered again, with the reason."""
    work = list(chunks(usage for record in records for usage in _usages_of(record)))
    unsent: dict[str, str] = {}
    with ThreadPoolExecutor(max_workers=min(PARALLEL_CHUNKS, max(len(work), 1))) as pool:
        outcomes = pool.map(_send, ([usage for _, usage in chunk] for chunk in work))
        for chunk, reason in zip(work, outcomes, strict=True):
            if reason:
                unsent.update((message_id, reason) for message_id, _ in chunk)
    return unsent


def _usages_of(record: dict[str, Any]) -> Iterator[tuple[str, Usage]]:
    """The usages of an SQS message, each with the message's id."""
    message_id = record["messageId"]
    try:
        envelope = json.loads(record["body"])
    except ValueError:
        envelope = None
    if isinstance(envelope, dict) and "detail" in envelope:
        identity, time, detail = str(envelope.get("id", message_id)), str(envelope.get("time", "")), envelope["detail"]
    else:
        # Not an event. The workflow refuses and keeps it as it came.
        sent = int(record["attributes"]["SentTimestamp"]) / 1000
        identity, time, detail = message_id, datetime.fromtimestamp(sent, UTC).isoformat(), record["body"]
    for usage in usages_in(detail, event_id=identity, event_time=time):
        yield message_id, usage


def _send(usages: list[Usage]) -> str:
    """Run one chunk through the workflow; empty, or why it has to be delivered again."""
    try:
        finished = workflows.run(
            os.environ["INGEST_USAGE_STATE_MACHINE_ARN"],
            {"usages": usages},
            read_timeout_seconds=READ_TIMEOUT_SECONDS,
        )
    except Exception as error:
        logger.exception("ingest_usage could not be run", extra={"usages": len(usages)})
        return f"ingest_usage could not be run ({type(error).__name__})"
    if finished.output is None or finished.output["statusCode"] != 200:
        logger.error(
            "ingest_usage failed",
            extra={"execution_arn": finished.arn, "error": finished.error, "usages": len(usages)},
        )
        return f"ingest_usage ended with {finished.error}; execution {finished.arn}"
    return ""
