"""Usage events from the queue, in batches, to ``ingest_usage``.

Each SQS message is one EventBridge event. Messages whose usages were not all dealt with are reported back, so
that SQS delivers those again; a usage that comes twice is the same record and counts once.
"""

import os
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Event
from typing import Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from amberflo_workflows.core.chunks import exceeds_chunk_limit, extract_usages, split_into_chunks
from amberflo_workflows.core.json_text import parse_json
from amberflo_workflows.core.reported_usage import ReportedUsage
from amberflo_workflows.entrypoints import oversized, workflows
from amberflo_workflows.entrypoints.oversized import reject_oversized
from amberflo_workflows.entrypoints.workflows import WorkflowResult

logger = Logger()

# Above the 240 s after which ingest_usage ends itself, below the function's own 270 s.
READ_TIMEOUT_SECONDS: Final = 250
# Some seconds in all, which the function has beyond that.
THROTTLED_TRIES: Final = 4
# Executions of one invocation at a time: each is mostly waiting, and a large batch has to end in time.
PARALLEL_CHUNKS: Final = 16
# Errors that come late, after all tries, and would meet every other chunk too: to wait for each of them would take
# longer than the function may.
OF_NO_CHUNK_ALONE: Final = {"AmberfloThrottled", "AmberfloUnavailable"}


class MessageNotProcessed(Exception):
    """A message stays in the queue, because an execution with usages of it failed."""


def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Lambda entry point for an SQS event source mapping with partial batch responses."""
    unsent = _unsent_messages(event["Records"])

    def settle(record: SQSRecord) -> None:
        if record.message_id in unsent:
            raise MessageNotProcessed(unsent[record.message_id])

    return process_partial_response(
        event=event,
        record_handler=settle,
        processor=BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False),
        context=context,
    )


def _unsent_messages(records: list[dict[str, Any]]) -> dict[str, str]:
    """Ids of messages to be delivered again, with the reason."""
    work = list(split_into_chunks(usage for record in records for usage in _usages_of(record)))
    unsent: dict[str, str] = {}
    amberflo_is_down = Event()
    with ThreadPoolExecutor(max_workers=min(PARALLEL_CHUNKS, max(len(work), 1))) as pool:
        outcomes = pool.map(lambda chunk: _send([usage for _, usage in chunk], amberflo_is_down), work)
        for chunk, reason in zip(work, outcomes, strict=True):
            if reason:
                unsent.update((message_id, reason) for message_id, _ in chunk)
    return unsent


def _usages_of(record: dict[str, Any]) -> Iterator[tuple[str, ReportedUsage]]:
    """The usages of an SQS message, each with the message's id; what is no event is one usage, to be refused."""
    message_id, body = record["messageId"], record["body"]
    envelope = parse_json(body)
    sent = datetime.fromtimestamp(int(record["attributes"]["SentTimestamp"]) / 1000, UTC).isoformat()
    try:
        if isinstance(envelope, dict) and "detail" in envelope:
            identity, moment = _text(envelope.get("id", message_id)), _text(envelope.get("time", sent))
            found = extract_usages(envelope["detail"], event_id=identity, event_time=moment)
        else:
            found = extract_usages(body, event_id=message_id, event_time=sent)
    except RecursionError:
        found = extract_usages(body, event_id=message_id, event_time=sent)
    for usage in found:
        yield message_id, usage


def _text(value: object) -> str:
    """Text that can be encoded, whatever a message has in the place of an id or a time."""
    return str(value).encode("utf-8", "replace").decode()


def _send(usages: list[ReportedUsage], amberflo_is_down: Event) -> str:
    """Run one chunk through the workflow; empty, or why it has to be delivered again."""
    if amberflo_is_down.is_set():
        return "Amberflo is down, as an earlier chunk of the batch has found"
    try:
        if exceeds_chunk_limit(usages):
            reject_oversized(usages[0], os.environ["REJECTED_TABLE_NAME"], oversized.dynamodb_client())
            return ""
        finished = _run(usages)
    except Exception as error:
        logger.exception("a chunk could not be sent", extra={"usages": len(usages)})
        return f"a chunk could not be sent ({type(error).__name__})"
    if finished.output is not None and finished.output["statusCode"] == 200:
        return ""
    if finished.error in OF_NO_CHUNK_ALONE:
        amberflo_is_down.set()
    logger.error(
        "ingest_usage failed", extra={"execution_arn": finished.arn, "error": finished.error, "usages": len(usages)}
    )
    return f"ingest_usage ended with {finished.error}; execution {finished.arn}"


def _run(usages: list[ReportedUsage]) -> WorkflowResult:
    """Run the workflow. A start that is throttled is tried again: its messages would else wait out their visibility."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - see workflows.client

    machine, client = (
        os.environ["INGEST_USAGE_STATE_MACHINE_ARN"],
        workflows.step_functions_client(READ_TIMEOUT_SECONDS),
    )
    for _ in range(THROTTLED_TRIES - 1):
        try:
            return workflows.run_workflow(machine, {"usages": usages}, client)
        except ClientError as error:
            if not workflows.is_throttled(error.response.get("Error", {}).get("Code", "")):
                raise
            time.sleep(random.uniform(0.5, 1.5))  # noqa: S311 - only so that not all come back at once
    return workflows.run_workflow(machine, {"usages": usages}, client)
