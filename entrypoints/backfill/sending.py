"""Send the rows of a file in chunks, several at a time, and report each chunk in the order of the file."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from amberflo_workflows.core.chunks import EncodedUsage, encode_usage, exceeds_chunk_limit, split_into_chunks
from amberflo_workflows.core.file_rows import FileRow
from amberflo_workflows.core.rejected_item import ItemTooLarge
from amberflo_workflows.core.reported_usage import ReportedUsage
from amberflo_workflows.core.usage_file import FileLayout, parse_usages
from amberflo_workflows.entrypoints import workflows
from amberflo_workflows.entrypoints.oversized import reject_oversized

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PARALLEL_CHUNKS: Final = 8


class ChunkNotSent(Exception):
    """A chunk could not be sent. The file can be sent again: usage that was sent before counts once."""


class RejectedRow(NamedTuple):
    row: FileRow
    reason: str


class RowPart(NamedTuple):
    """A usage's row, and the byte before which all usages are sent once it is sent: the row may have more of them."""

    row: FileRow
    end: int


class SentChunk(NamedTuple):
    """The outcome of a chunk; all usages of the rows before the byte ``end`` are in this or an earlier chunk."""

    end: int
    accepted: int
    rejected: list[RejectedRow]


@dataclass(frozen=True)
class RowDestination:
    """Where rows are sent: the workflow, and the rejected table for usage that is too large for a workflow."""

    machine_arn: str
    rejected_table: str
    start: workflows.Start
    dynamodb: "DynamoDBClient"


def send_rows(rows: Iterable[FileRow], layout: FileLayout, destination: RowDestination) -> Iterator[SentChunk]:
    """Send rows, and yield the chunks in their order.

    Raises :class:`ChunkNotSent` at the first chunk that fails; all chunks before it have been yielded.
    """
    chunks = split_into_chunks(usage for row in rows for usage in _parse_parts(row, layout))
    with ThreadPoolExecutor(PARALLEL_CHUNKS) as pool:
        pending: deque[Future[SentChunk]] = deque()
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


def _parse_parts(row: FileRow, layout: FileLayout) -> Iterator[EncodedUsage[RowPart]]:
    usages = parse_usages(row, layout)
    for number, usage in enumerate(usages, 1):
        yield encode_usage(RowPart(row, row.end if number == len(usages) else row.start), usage)


def _send(chunk: list[EncodedUsage[RowPart]], destination: RowDestination) -> SentChunk:
    end = chunk[-1].origin.end
    if exceeds_chunk_limit(chunk):
        reason = _reject_oversized(chunk[0].reported, destination)
        return SentChunk(end, 0, [RejectedRow(chunk[0].origin.row, reason)])
    # The response refers to a usage by its index.
    usages = [msgspec.structs.replace(usage.reported, index=index) for index, usage in enumerate(chunk)]
    result = workflows.run_workflow(destination.machine_arn, {"usages": usages}, destination.start, repeatable=True)
    if result.output is None or result.output["statusCode"] != 200:
        raise ChunkNotSent(f"ingest_usage ended with {result.error}: {result.cause} Execution {result.arn}")
    data = result.output["body"]["data"]
    rejected = [RejectedRow(chunk[usage["index"]].origin.row, usage["reason"]) for usage in data["rejected"]]
    return SentChunk(end, data["accepted"], rejected)


def _reject_oversized(usage: ReportedUsage, destination: RowDestination) -> str:
    """Store a usage in the rejected table and return the reason."""
    try:
        return reject_oversized(usage, destination.rejected_table, destination.dynamodb)["reason"]
    except ItemTooLarge as error:
        raise ChunkNotSent(f"The row {usage.event_id} is too large to be sent or stored. {error}") from None
