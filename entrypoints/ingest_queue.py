"""Pass usage events from the queue to ``ingest_usage``, many messages at a time.

Each SQS message is one EventBridge event. Messages whose usages were not all processed are returned as failed, so that
SQS delivers them again; a usage that is delivered twice is the same record and counts once.
"""

import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any, Final, TypedDict

from aws_lambda_powertools import Logger

from amberflo_workflows.core.aws_call import AwsError
from amberflo_workflows.core.chunks import EncodedUsage, encode_chunk, exceeds_chunk_limit, split_into_chunks
from amberflo_workflows.core.initialization import at_initialization
from amberflo_workflows.entrypoints import oversized, workflows
from amberflo_workflows.entrypoints.oversized import reject_oversized
from amberflo_workflows.entrypoints.usage_message import read_usages
from amberflo_workflows.entrypoints.workflows import WorkflowResult

logger = Logger()

# Above the 240 s after which ingest_usage ends, below the function's own 270 s.
STEP_FUNCTIONS: Final = workflows.step_functions(read_seconds=250)
# An execution that was throttled is followed by another one until this time, which the function has beyond the read
# timeout.
START_SECONDS: Final = 16
MAX_START_ATTEMPTS: Final = 8
WAIT_SECONDS: Final = (0.5, 1.5)
# Executions of one invocation at a time: each mostly waits, and a large batch has to end in time.
PARALLEL_CHUNKS: Final = 16
# These errors come late, after all retries, and every other chunk would have them, too. To wait for each chunk would
# take longer than the function may.
OUTAGE_ERRORS: Final = {"AmberfloThrottled", "AmberfloUnavailable"}

at_initialization(STEP_FUNCTIONS.prepare)


class FailedMessage(TypedDict):
    """A message that SQS is to deliver again."""

    itemIdentifier: str


class BatchResponse(TypedDict):
    """The partial batch response, see ``ReportBatchItemFailures`` in Lambda's documentation."""

    batchItemFailures: list[FailedMessage]


def handler(event: dict[str, Any], _context: object) -> BatchResponse:
    """Process an SQS event. A message stays in the queue if an execution with some of its usages failed."""
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in _process(event["Records"])]}


def _process(records: list[dict[str, Any]]) -> dict[str, str]:
    """Send the usages of all messages. Return the ids of the messages to deliver again, with the reason."""
    chunks = list(split_into_chunks(usage for record in records for usage in read_usages(record)))
    failures: dict[str, str] = {}
    amberflo_is_down = Event()
    with ThreadPoolExecutor(max_workers=min(PARALLEL_CHUNKS, max(len(chunks), 1))) as pool:
        reasons = pool.map(lambda chunk: _send(chunk, amberflo_is_down), chunks)
        for chunk, reason in zip(chunks, reasons, strict=True):
            if reason:
                failures.update((usage.origin, reason) for usage in chunk)
    return failures


def _send(chunk: list[EncodedUsage[str]], amberflo_is_down: Event) -> str:
    """Send one chunk to the workflow. Return an empty text, or why its messages have to be delivered again.

    The ids of the messages are logged with the reason, so that it can be looked up for a message that ends in the
    dead-letter queue.
    """
    if amberflo_is_down.is_set():
        logger.warning("a chunk was not sent while Amberflo is unavailable", extra=_describe(chunk))
        return "Amberflo is unavailable, according to an earlier chunk of the batch"
    try:
        if exceeds_chunk_limit(chunk):
            reject_oversized(chunk[0].reported, os.environ["REJECTED_TABLE_NAME"], oversized.dynamodb_client())
            return ""
        result = _run(chunk)
    except Exception as error:
        logger.exception("a chunk could not be sent", extra=_describe(chunk))
        return f"a chunk could not be sent ({type(error).__name__})"
    if result.output is not None and result.output["statusCode"] == 200:
        return ""
    if result.error in OUTAGE_ERRORS:
        amberflo_is_down.set()
    logger.error("ingest_usage failed", extra={"execution_arn": result.arn, "error": result.error, **_describe(chunk)})
    return f"ingest_usage ended with {result.error}; execution {result.arn}"


def _describe(chunk: list[EncodedUsage[str]]) -> dict[str, Any]:
    return {"usages": len(chunk), "message_ids": sorted({usage.origin for usage in chunk})}


def _run(chunk: list[EncodedUsage[str]]) -> WorkflowResult:
    """Run the workflow, again if Step Functions or Lambda throttles.

    Otherwise the messages would wait for their visibility timeout, and a message has few deliveries.
    """
    machine_arn = os.environ["INGEST_USAGE_STATE_MACHINE_ARN"]
    request = {"usages": encode_chunk(chunk)}
    start = workflows.start_with_api(STEP_FUNCTIONS)
    deadline = time.monotonic() + START_SECONDS
    attempt = 0
    while True:
        attempt += 1
        is_last = attempt == MAX_START_ATTEMPTS
        try:
            result = workflows.run_workflow(machine_arn, request, start, repeatable=True)
            if result.error != workflows.LAMBDA_THROTTLED or is_last or time.monotonic() > deadline:
                return result
        except AwsError as error:
            if not workflows.is_throttled(error.code) or is_last:
                raise
        time.sleep(random.uniform(*WAIT_SECONDS))  # noqa: S311 - jitter, not a secret
