"""Fetch an answer that a workflow has left in the bucket for large ones, and delete it there."""

import os
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
from aws_lambda_powertools import Logger

from amberflo_workflows.tasks.answers import Claim

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

logger = Logger(child=True)


class ClaimLost(Exception):
    """The answer could not be fetched; the message says why."""


def redeem(claim: Claim) -> dict[str, Any]:
    """The body that a claim is for. Raises :class:`ClaimLost`.

    It is sought in our own bucket, whatever the claim says. That it cannot be deleted is no reason to withhold it:
    the bucket lets go of it by itself.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see _client

    bucket, key = os.environ["ANSWERS_BUCKET_NAME"], claim["key"]
    try:
        body = _client().get_object(Bucket=bucket, Key=key)["Body"].read()
    except (BotoCoreError, ClientError) as error:
        raise ClaimLost(f"{bucket}/{key}: {type(error).__name__}: {error}") from error
    try:
        _client().delete_object(Bucket=bucket, Key=key)
    except (BotoCoreError, ClientError):
        logger.exception("answer not deleted", extra={"key": key})
    return msgspec.json.decode(body, type=dict[str, Any])


@cache
def _client() -> "S3Client":
    import boto3  # noqa: PLC0415 - few answers are large, and it is half of a cold start
    from botocore.config import Config  # noqa: PLC0415 - as above

    # One attempt each, since the caller's time is nearly over by then.
    return boto3.client(
        "s3", config=Config(connect_timeout=1, read_timeout=1, retries={"mode": "standard", "total_max_attempts": 1})
    )
