"""Send the rows of a file in chunks, and report each chunk in the order of the file."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from amberflo_workflows.core.chunks import EncodedUsage, encode_usage, split_into_chunks
from amberflo_workflows.core.file_rows import FileRow
from amberflo_workflows.core.usage_file import FileLayout, parse_usages
from amberflo_workflows.entrypoints.sending import Destination, send_chunks


class RejectedRow(NamedTuple):
    row: FileRow
    reason: str


class RowPart(NamedTuple):
    """A usage's row, and the byte before which all usages are sent once it is sent: the row may have more of them."""

    row: FileRow
    end: int


class SentRows(NamedTuple):
    """The outcome of a chunk; all usages of the rows before the byte ``end`` are in this or an earlier chunk."""

    end: int
    accepted: int
    rejected: list[RejectedRow]


def send_rows(rows: Iterable[FileRow], layout: FileLayout, destination: Destination) -> Iterator[SentRows]:
    """Send rows, and yield the chunks in their order.

    Raises :class:`~amberflo_workflows.entrypoints.sending.ChunkNotSent` at the first chunk that fails; all chunks
    before it have been yielded.
    """
    chunks = split_into_chunks(usage for row in rows for usage in _parse_parts(row, layout))
    for chunk in send_chunks(map(_number, chunks), destination):
        rejected = [RejectedRow(chunk.usages[usage.index].origin.row, usage.reason) for usage in chunk.rejected]
        yield SentRows(chunk.usages[-1].origin.end, chunk.accepted, rejected)


def _parse_parts(row: FileRow, layout: FileLayout) -> Iterator[EncodedUsage[RowPart]]:
    usages = parse_usages(row, layout)
    for number, usage in enumerate(usages, 1):
        yield encode_usage(RowPart(row, row.end if number == len(usages) else row.start), usage)


def _number(chunk: list[EncodedUsage[RowPart]]) -> list[EncodedUsage[RowPart]]:
    """Set the index of each usage, by which the response refers to it."""
    for index, usage in enumerate(chunk):
        usage.reported = msgspec.structs.replace(usage.reported, index=index)
    return chunk
