"""Send chunks of usage through ``ingest_usage``, several at a time, and report each one in order."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple

from amberflo_workflows.core.aws_call import AwsError
from amberflo_workflows.core.chunks import EncodedUsage, Origin, exceeds_chunk_limit
from amberflo_workflows.core.connections import NoResponse
from amberflo_workflows.core.rejected_item import ItemTooLarge
from amberflo_workflows.core.reported_usage import ReportedUsage
from amberflo_workflows.entrypoints import workflows
from amberflo_workflows.entrypoints.oversized import reject_oversized

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PARALLEL_CHUNKS: Final = 8


class ChunkNotSent(Exception):
    """A chunk could not be sent. Its usage can be sent again: what was sent before counts once."""


@dataclass(frozen=True)
class UsageRejection:
    """The ``index`` of a rejected usage, and the reason."""

    index: int
    reason: str


class SentChunk(NamedTuple, Generic[Origin]):
    """The outcome of a chunk."""

    usages: list[EncodedUsage[Origin]]
    accepted: int
    rejected: list[UsageRejection]


@dataclass(frozen=True)
class Destination:
    """Where usage is sent: the workflow, and the rejected table for usage that is too large for a workflow."""

    machine_arn: str
    rejected_table: str
    start: workflows.Start
    dynamodb: "DynamoDBClient"


def send_chunks(chunks: Iterable[list[EncodedUsage[Origin]]], destination: Destination) -> Iterator[SentChunk[Origin]]:
    """Send chunks, and yield them in their order. All of them are sent when it ends.

    Raises :class:`ChunkNotSent` at the first chunk that fails; all chunks before it have been yielded.
    """
    with ThreadPoolExecutor(PARALLEL_CHUNKS) as pool:
        pending: deque[Future[SentChunk[Origin]]] = deque()
        try:
            for chunk in chunks:
                pending.append(pool.submit(_send, chunk, destination))
                if len(pending) >= 2 * PARALLEL_CHUNKS:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def _send(chunk: list[EncodedUsage[Origin]], destination: Destination) -> SentChunk[Origin]:
    usages = [usage.reported for usage in chunk]
    if exceeds_chunk_limit(chunk):
        return SentChunk(chunk, 0, [UsageRejection(usages[0].index, _reject_oversized(usages[0], destination))])
    data = _run_ingest_usage(usages, destination)
    rejected = [UsageRejection(usage["index"], usage["reason"]) for usage in data["rejected"]]
    return SentChunk(chunk, data["accepted"], rejected)


def _run_ingest_usage(usages: list[ReportedUsage], destination: Destination) -> dict[str, Any]:
    try:
        result = workflows.run_workflow(destination.machine_arn, {"usages": usages}, destination.start, repeatable=True)
    except (AwsError, NoResponse) as error:
        raise ChunkNotSent(f"ingest_usage could not be run: {error}") from error
    if result.output is None or result.output["statusCode"] != 200:
        raise ChunkNotSent(f"ingest_usage ended with {result.error}: {result.cause} Execution {result.arn}")
    data: dict[str, Any] = result.output["body"]["data"]
    return data


def _reject_oversized(usage: ReportedUsage, destination: Destination) -> str:
    """Store a usage in the rejected table and return the reason."""
    try:
        return reject_oversized(usage, destination.rejected_table, destination.dynamodb)["reason"]
    except ItemTooLarge as error:
        raise ChunkNotSent(f"The usage {usage.event_id} is too large to be sent or stored. {error}") from None
