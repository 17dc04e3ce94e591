"""First step of ``backfill_usage``: look at the object and cut it into ranges of bytes.

Request: ``{"bucket", "key", "name"?, "format"?, "columns"?, "constants"?, "ignore"?}``, see
:class:`~amberflo_workflows.core.usage_file.FileOptions`. Out: ``{"object": {bucket, key, version}, "layout",
"ranges": [{begin, end}…]}``, or a 400 answer when the object cannot be read as usages.
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

# Small enough to be sent in a minute, so that little is done again after a fault.
RANGE_BYTES: Final = 1 << 18
# The list of ranges is a state's output; with the layout it stays well under 262,144 bytes.
MAX_RANGES: Final = 2_000
# A compressed object cannot be cut: one step has to get through it in its 15 minutes.
MAX_GZIP_BYTES: Final = 50_000_000
_NOT_TO_BE_READ: Final = {"403", "404", "AccessDenied", "NoSuchBucket", "NoSuchKey"}


class BackfillRequest(Struct, rename="camel", forbid_unknown_fields=True):
    """The request."""

    bucket: str
    key: str
    name: str | None = None
    format: Format | None = None
    columns: dict[str, str] = {}
    constants: dict[str, Any] = {}
    ignore: list[str] = []

    def reading(self) -> FileOptions:
        """How to read the object; it is named like the file, wherever that lies. Raises :class:`InvalidFile`."""
        file_name = self.key.rsplit("/", 1)[-1]
        found = self.format or detect_format(file_name)
        return FileOptions(self.name or file_name, found, self.columns, self.constants, self.ignore)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any] | StepResponse:
    logger.set_correlation_id(str(event.get("execution", {}).get("name", "")))
    try:
        wanted = msgspec.convert(event["request"], BackfillRequest)
        return _planned(wanted)
    except msgspec.ValidationError as error:
        return validation_error_response(error)
    except InvalidFile as error:
        return error_response(400, str(error))


def _planned(wanted: BackfillRequest) -> dict[str, Any]:
    reading = wanted.reading()
    found, size = _looked_up(wanted)
    layout = read_layout(reading, read_object(s3_client(), found) if size else [])
    ranges = _ranges(layout, size, packed=found.is_packed)
    return {"object": msgspec.to_builtins(found), "layout": msgspec.to_builtins(layout), "ranges": ranges}


def _looked_up(wanted: BackfillRequest) -> tuple[S3Object, int]:
    """The object and its size in bytes."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - slow to import

    try:
        head = s3_client().head_object(Bucket=wanted.bucket, Key=wanted.key)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code not in _NOT_TO_BE_READ:
            raise
        raise InvalidFile(f"s3://{wanted.bucket}/{wanted.key} is not there or may not be read ({code}).") from None
    return S3Object(wanted.bucket, wanted.key, head["ETag"]), head["ContentLength"]


def _ranges(layout: FileLayout, size: int, *, packed: bool) -> list[dict[str, int | None]]:
    """Ranges of the object; a row belongs to the one that it begins in."""
    if packed:
        if size > MAX_GZIP_BYTES:
            raise InvalidFile(
                f"A gzip file can have {MAX_GZIP_BYTES:,} bytes, this one has {size:,}. Unpack it: as it is, "
                "it cannot be read by many at once."
            )
        return [{"begin": layout.rows_begin, "end": None}]
    length = max(RANGE_BYTES, math.ceil((size - layout.rows_begin) / MAX_RANGES))
    return [{"begin": begin, "end": min(begin + length, size)} for begin in range(layout.rows_begin, size, length)]
