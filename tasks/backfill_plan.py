"""First step of ``backfill_usage``: split the object into ranges of bytes.

The ranges of CSV start at rows, so that none starts inside a quoted field. Only reading the file from its start shows
where rows start, so CSV is read completely here. So is a file that has to be decoded, which shows if it is damaged.

Request: ``{"bucket", "key", "name"?, "format"?, …, "afterCancellation"?}`` with the members of
:class:`~amberflo_workflows.core.file_options.FileOptions`. A file that was sent with other options is an error, unless
what was counted is cancelled. Output: ``{"object": {bucket, key, etag, isEncoded},
"layout", "ranges": [{begin, end}…]}``, or a 400 response if the object cannot be read as usages.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Any, Final, TypedDict

import msgspec
from aws_lambda_powertools import Logger

from amberflo_workflows.core.file_encoding import InvalidFile
from amberflo_workflows.core.file_options import FileOptions, Format, ReadOptions
from amberflo_workflows.core.file_rows import FileRow, find_range_starts, read_rows
from amberflo_workflows.core.initialization import at_initialization
from amberflo_workflows.core.response import StepResponse, error_response, validation_error_response
from amberflo_workflows.core.s3_object import S3Object, describe_object, read_object, s3_client
from amberflo_workflows.core.sent_files import remember
from amberflo_workflows.core.usage_file import FileLayout, detect_format, read_layout

logger = Logger()

# Small enough to be sent within a minute, so that an error causes little repetition.
RANGE_BYTES: Final = 1 << 18
# The list of ranges is part of a state's output; with the layout it must stay under 262,144 bytes.
MAX_RANGES: Final = 2_000
# Gzip, UTF-16 and CR line ends are decoded from the start: one step has to read all of it within its 15 minutes.
MAX_ENCODED_BYTES: Final = 50_000_000
# Decoded bytes of a file, which this step reads completely within its time.
MAX_READ_BYTES: Final = 2_000_000_000
_NOT_READABLE_CODES: Final = {"403", "404", "AccessDenied", "NoSuchBucket", "NoSuchKey"}


class PlannedRange(TypedDict):
    """Bytes of the object, up to its end if ``end`` is ``None``."""

    begin: int
    end: int | None


class BackfillRequest(ReadOptions, kw_only=True):
    """The object, and how to read it. ``after_cancellation`` is for usage that was counted with other options."""

    bucket: str
    key: str
    name: str | None = None
    format: Format | None = None
    after_cancellation: bool = False

    @property
    def file_options(self) -> FileOptions:
        """How to read the object. Raises :class:`InvalidFile`."""
        options = {field: getattr(self, field) for field in ReadOptions.__struct_fields__}
        file_format = self.format or detect_format(self.key.rsplit("/", 1)[-1])
        return FileOptions(self.name or "", file_format, **options)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any] | StepResponse:
    logger.set_correlation_id(str(event.get("execution", {}).get("name", "")))
    try:
        return _plan(msgspec.convert(event["request"], BackfillRequest))
    except msgspec.ValidationError as error:
        return validation_error_response(error)
    except InvalidFile as error:
        return error_response(400, str(error))


def _plan(request: BackfillRequest) -> dict[str, Any]:
    options = request.file_options
    s3_object, size = _describe_object(request)
    layout = read_layout(options, read_object(s3_client(), s3_object) if size else [])
    if s3_object.is_encoded:
        ranges = _check_encoded(s3_object, layout, size)
    elif options.format == "csv":
        ranges = _split_csv(s3_object, layout, size)
    else:
        ranges = _split_into_ranges(size)
    first = next(_read_all_rows(s3_object, layout), None) if size else None
    if first is not None:
        remember(s3_client(), request.bucket, options, first, is_cancelled=request.after_cancellation)
    return {"object": msgspec.to_builtins(s3_object), "layout": msgspec.to_builtins(layout), "ranges": ranges}


def _check_encoded(s3_object: S3Object, layout: FileLayout, size: int) -> list[PlannedRange]:
    """Return the only range of such a file. Raises :class:`InvalidFile` if the file cannot be read to its end."""
    if size > MAX_ENCODED_BYTES:
        raise InvalidFile(
            f"The file has {size:,} bytes; the limit for gzip, UTF-16 and lines that end with CR is "
            f"{MAX_ENCODED_BYTES:,}. Convert it to uncompressed UTF-8 with LF, so that it can be read in parallel."
        )
    for _ in _read_all_rows(s3_object, layout):
        pass
    return [{"begin": layout.rows_start, "end": None}]


def _split_csv(s3_object: S3Object, layout: FileLayout, size: int) -> list[PlannedRange]:
    if size > MAX_READ_BYTES:
        raise InvalidFile(_describe_large_file())
    length = _compute_range_length(size)
    starts = list(find_range_starts(_read_all_rows(s3_object, layout), length))
    return [{"begin": start, "end": end} for start, end in zip(starts, [*starts, size][1:], strict=True)]


def _read_all_rows(s3_object: S3Object, layout: FileLayout) -> Iterator[FileRow]:
    pieces = _limit_bytes(read_object(s3_client(), s3_object, layout.rows_start))
    return read_rows(pieces, layout.rows_start, layout.options.format)


def _limit_bytes(pieces: Iterable[bytes]) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > MAX_READ_BYTES:
            raise InvalidFile(_describe_large_file())
        yield piece


def _describe_large_file() -> str:
    return (
        f"The file has more than {MAX_READ_BYTES:,} decoded bytes, the limit for CSV and gzip. Split it into "
        "several files, or convert it to uncompressed NDJSON, which has no limit."
    )


def _describe_object(request: BackfillRequest) -> tuple[S3Object, int]:
    """Return the object and its size in bytes."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - loads with boto3, see core/aws.py

    try:
        return describe_object(s3_client(), request.bucket, request.key)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code not in _NOT_READABLE_CODES:
            raise
        raise InvalidFile(f"s3://{request.bucket}/{request.key} does not exist or access is denied ({code}).") from None


def _split_into_ranges(size: int) -> list[PlannedRange]:
    """Return the ranges of NDJSON, which may start anywhere. A row belongs to the range in which it starts."""
    length = _compute_range_length(size)
    return [{"begin": start, "end": min(start + length, size)} for start in range(0, size, length)]


def _compute_range_length(size: int) -> int:
    return max(RANGE_BYTES, math.ceil(size / MAX_RANGES))


at_initialization(s3_client)
