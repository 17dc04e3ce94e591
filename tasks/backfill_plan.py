"""First step of ``backfill_usage``: read the start of the object and split the object into ranges of bytes.

Request: ``{"bucket", "key", "name"?, "format"?, "columns"?, "constants"?, "ignore"?}``, see
:class:`~amberflo_workflows.core.usage_file.FileOptions`. Output: ``{"object": {bucket, key, etag}, "layout", "ranges":
[{begin, end}…]}``, or a 400 response if the object cannot be read as usages.
"""

import math
from typing import Any, Final

import msgspec
from aws_lambda_powertools import Logger
from msgspec import Struct

from amberflo_workflows.core.response import StepResponse, error_response, validation_error_response
from amberflo_workflows.core.s3_object import S3Object, read_object, s3_client
from amberflo_workflows.core.usage_file import FileLayout, FileOptions, Format, InvalidFile, detect_format, read_layout

logger = Logger()

# Small enough to be sent within a minute, so that an error causes little repetition.
RANGE_BYTES: Final = 1 << 18
# The list of ranges is part of a state's output; with the layout it must stay under 262,144 bytes.
MAX_RANGES: Final = 2_000
# A compressed object cannot be split: one step has to read it within its 15 minutes.
MAX_GZIP_BYTES: Final = 50_000_000
_NOT_READABLE_CODES: Final = {"403", "404", "AccessDenied", "NoSuchBucket", "NoSuchKey"}


class BackfillRequest(Struct, rename="camel", forbid_unknown_fields=True):
    bucket: str
    key: str
    name: str | None = None
    format: Format | None = None
    columns: dict[str, str] = {}
    constants: dict[str, Any] = {}
    ignore: list[str] = []

    @property
    def file_options(self) -> FileOptions:
        """How to read the object. Its default name is the last part of the key. Raises :class:`InvalidFile`."""
        file_name = self.key.rsplit("/", 1)[-1]
        file_format = self.format or detect_format(file_name)
        return FileOptions(self.name or file_name, file_format, self.columns, self.constants, self.ignore)


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
    ranges = _split_into_ranges(layout, size, is_compressed=s3_object.is_compressed)
    return {"object": msgspec.to_builtins(s3_object), "layout": msgspec.to_builtins(layout), "ranges": ranges}


def _describe_object(request: BackfillRequest) -> tuple[S3Object, int]:
    """Return the object and its size in bytes."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - slow to import

    try:
        head = s3_client().head_object(Bucket=request.bucket, Key=request.key)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code not in _NOT_READABLE_CODES:
            raise
        raise InvalidFile(f"s3://{request.bucket}/{request.key} does not exist or access is denied ({code}).") from None
    return S3Object(request.bucket, request.key, head["ETag"]), head["ContentLength"]


def _split_into_ranges(layout: FileLayout, size: int, *, is_compressed: bool) -> list[dict[str, int | None]]:
    """Return the ranges of the object. A row belongs to the range in which it starts."""
    if is_compressed:
        if size > MAX_GZIP_BYTES:
            raise InvalidFile(
                f"The gzip file has {size:,} bytes; the limit is {MAX_GZIP_BYTES:,}. Decompress it, so that it can be "
                "read in parallel."
            )
        return [{"begin": layout.rows_start, "end": None}]
    length = max(RANGE_BYTES, math.ceil((size - layout.rows_start) / MAX_RANGES))
    return [{"begin": start, "end": min(start + length, size)} for start in range(layout.rows_start, size, length)]
