"""Send a range of a file to ``ingest_usage``, row by row.

Input: ``{"object": {bucket, key, etag}, "layout", "range": {begin, end}}`` from the plan. Output: ``{"accepted",
"rejected", "failed": 0}``. Raises :class:`ChunkNotSent`, which the workflow retries: usage that is sent again counts
once.
"""

import os
from typing import Any, Final

import msgspec
from aws_lambda_powertools import Logger
from msgspec import Struct

from amberflo_workflows.core.file_rows import read_rows_between
from amberflo_workflows.core.initialization import at_initialization
from amberflo_workflows.core.s3_object import S3Object, read_object, s3_client
from amberflo_workflows.core.usage_file import FileLayout
from amberflo_workflows.entrypoints import oversized, workflows
from amberflo_workflows.entrypoints.backfill.sending import send_rows
from amberflo_workflows.entrypoints.sending import Destination

logger = Logger()

# Above the 240 s after which ingest_usage ends.
_STEP_FUNCTIONS: Final = workflows.step_functions(read_seconds=250)
_START: Final = workflows.start_with_api(_STEP_FUNCTIONS)


class Range(Struct, rename={"start": "begin"}):
    """Bytes of the object; without ``end`` it extends to the end of the object.

    The names in JSON are those that the state data of executions has.
    """

    start: int
    end: int | None


class SendRange(Struct):
    object: S3Object
    layout: FileLayout
    range: Range


def handler(event: dict[str, Any], _context: object) -> dict[str, int]:
    logger.set_correlation_id(str(event.get("execution", {}).get("name", "")))
    request = msgspec.convert(event, SendRange)
    destination = Destination(
        os.environ["INGEST_USAGE_STATE_MACHINE_ARN"],
        os.environ["REJECTED_TABLE_NAME"],
        _START,
        oversized.dynamodb_client(),
    )
    accepted = rejected = 0
    rows = read_rows_between(
        lambda start: read_object(s3_client(), request.object, start),
        request.range.start,
        request.range.end,
        request.layout.options.format,
    )
    for chunk in send_rows(rows, request.layout, destination):
        accepted += chunk.accepted
        rejected += len(chunk.rejected)
    logger.info("range sent", extra={"begin": request.range.start, "accepted": accepted, "rejected": rejected})
    return {"accepted": accepted, "rejected": rejected, "failed": 0}


at_initialization(_STEP_FUNCTIONS.prepare)
at_initialization(s3_client)
