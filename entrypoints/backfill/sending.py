"""Send the rows of a file, chunk by chunk, some at a time, and tell of each chunk in the order of the file."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from amberflo_workflows.core.chunks import exceeds_chunk_limit, split_into_chunks
from amberflo_workflows.core.rejected_item import ItemTooLarge
from amberflo_workflows.core.reported_usage import ReportedUsage
from amberflo_workflows.core.usage_file import FileLayout, FileRow, parse_row
from amberflo_workflows.entrypoints import workflows
from amberflo_workflows.entrypoints.oversized import reject_oversized

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_stepfunctions import SFNClient

PARALLEL_CHUNKS: Final = 8


class ChunkNotSent(Exception):
    """A chunk could not be counted; what was sent of the file can be sent again and counts once."""


class RejectedRow(NamedTuple):
    """A row that was refused."""

    row: FileRow
    reason: str


class SentChunk(NamedTuple):
    """A chunk that was dealt with; ``end`` is the byte after its last row."""

    end: int
    accepted: int
    refused: list[RejectedRow]


@dataclass(frozen=True)
class RowDestination:
    """Where rows are sent: the workflow, and the table for what no workflow can carry."""

    machine_arn: str
    rejected_table: str
    stepfunctions: "SFNClient"
    dynamodb: "DynamoDBClient"


def send_rows(rows: Iterable[FileRow], layout: FileLayout, place: RowDestination) -> Iterator[SentChunk]:
    """Send rows. Raises :class:`ChunkNotSent` at the first chunk that fails; those before it have been told."""
    work = split_into_chunks((row, parse_row(row, layout)) for row in rows)
    with ThreadPoolExecutor(PARALLEL_CHUNKS) as pool:
        waiting: deque[Future[SentChunk]] = deque()
        try:
            for chunk in work:
                waiting.append(pool.submit(_send, [row for row, _ in chunk], [usage for _, usage in chunk], place))
                if len(waiting) >= 2 * PARALLEL_CHUNKS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _send(rows: list[FileRow], usages: list[ReportedUsage], place: RowDestination) -> SentChunk:
    end = rows[-1].end
    if exceeds_chunk_limit(usages):
        return SentChunk(end, 0, [RejectedRow(rows[0], _parked(usages[0], place))])
    # The index tells which is which in the answer.
    numbered = [msgspec.structs.replace(usage, index=index) for index, usage in enumerate(usages)]
    finished = workflows.run_workflow(place.machine_arn, {"usages": numbered}, place.stepfunctions)
    if finished.output is None or finished.output["statusCode"] != 200:
        raise ChunkNotSent(f"ingest_usage ended with {finished.error}: {finished.cause} Execution {finished.arn}")
    data = finished.output["body"]["data"]
    return SentChunk(
        end, data["accepted"], [RejectedRow(rows[one["index"]], one["reason"]) for one in data["rejected"]]
    )


def _parked(usage: ReportedUsage, place: RowDestination) -> str:
    try:
        return reject_oversized(usage, place.rejected_table, place.dynamodb)["reason"]
    except ItemTooLarge as error:
        raise ChunkNotSent(f"The row {usage.event_id} can neither be counted nor kept: {error}") from None
