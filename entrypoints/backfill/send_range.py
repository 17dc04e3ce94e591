"""A range of a file, row by row to ``ingest_usage``.

In: ``{"object": {bucket, key, etag}, "layout", "range": {begin, end}}`` from the plan. Out: ``{"accepted", "rejected",
"failed": 0}``. Raises :class:`ChunkNotSent`, which the workflow retries: what is sent again counts once.
"""

import os
from typing import Any, Final

import msgspec
from aws_lambda_powertools import Logger
from msgspec import Struct

from amberflo_workflows.core.s3_object import S3Object, read_object, s3_client
from amberflo_workflows.core.usage_file import FileLayout, read_rows_between
from amberflo_workflows.entrypoints import oversized, workflows
from amberflo_workflows.entrypoints.backfill.sending import RowDestination, send_rows

logger = Logger()

# Above the 240 s after which ingest_usage ends itself.
READ_TIMEOUT_SECONDS: Final = 250


class Range(Struct):
    """Bytes of the object; no ``end`` is the object's own."""

    begin: int
    end: int | None


class SendRange(Struct):
    """What is to be sent."""

    object: S3Object
    layout: FileLayout
    range: Range


def handler(event: dict[str, Any], _context: object) -> dict[str, int]:
    logger.set_correlation_id(str(event.get("execution", {}).get("name", "")))
    wanted = msgspec.convert(event, SendRange)
    place = RowDestination(
        os.environ["INGEST_USAGE_STATE_MACHINE_ARN"],
        os.environ["REJECTED_TABLE_NAME"],
        workflows.step_functions_client(READ_TIMEOUT_SECONDS),
        oversized.dynamodb_client(),
    )
    accepted = rejected = 0
    found = read_rows_between(
        lambda begin: read_object(s3_client(), wanted.object, begin), wanted.range.begin, wanted.range.end
    )
    for sent in send_rows(found, wanted.layout, place):
        accepted += sent.accepted
        rejected += len(sent.refused)
    logger.info("range sent", extra={"begin": wanted.range.begin, "accepted": accepted, "rejected": rejected})
    return {"accepted": accepted, "rejected": rejected, "failed": 0}
