"""The claim check: an answer that is larger than a state may hand on waits in a bucket, and a claim to it goes on.

``{"statusCode", "claim": {"bucket", "key", "bytes"}}`` then stands in the place of ``{"statusCode", "body"}``. Whoever
gives the answer to the caller fetches the body and deletes it; what nobody fetches is gone after a day.
"""

import os
import uuid
from typing import TYPE_CHECKING, Final

import msgspec

from amberflo_workflows.tasks.answers import CARRIED_BYTES, Answer, Claim, Claimed, TooLarge, size_of
from amberflo_workflows.tasks.observability import logger
from amberflo_workflows.tasks.step import Step

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# What a Lambda may answer, and so what the caller can get in the end.
LARGEST_BODY_BYTES: Final = 6 * 1024 * 1024


class AnswerNotKept(Exception):
    """The bucket for large answers did not take one."""


def carried(answer: Answer, step: Step, *, narrower: str) -> Answer | Claimed:
    """The answer as it is, or a claim to it if it is too large for a state.

    Raises :class:`TooLarge` with the advice how to ask ``narrower``, and :class:`AnswerNotKept`.
    """
    if size_of(answer["body"]) <= CARRIED_BYTES:
        return answer
    body = msgspec.json.encode(answer["body"])
    if len(body) > LARGEST_BODY_BYTES:
        raise TooLarge(f"The answer has {len(body):,} bytes; {LARGEST_BODY_BYTES:,} can be carried. {narrower}")
    return {"statusCode": answer["statusCode"], "claim": _left(body, step.execution.name)}


def _left(body: bytes, execution: str) -> Claim:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see _client

    bucket, key = os.environ["ANSWERS_BUCKET_NAME"], f"{execution}/{uuid.uuid4()}.json"
    try:
        _client().put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "unknown error")
        raise AnswerNotKept(f"The bucket '{bucket}' did not take the answer ({code}).") from None
    except BotoCoreError as error:
        raise AnswerNotKept(f"The bucket '{bucket}' could not be reached ({type(error).__name__}).") from None
    logger.info("answer left in the bucket", extra={"key": key, "bytes": len(body)})
    return {"bucket": bucket, "key": key, "bytes": len(body)}


def _client() -> "S3Client":
    import boto3  # noqa: PLC0415 - few answers are large, and it is most of a cold start
    from botocore.config import Config  # noqa: PLC0415 - as above

    return boto3.client(
        "s3",
        config=Config(connect_timeout=1, read_timeout=1, retries={"mode": "standard", "total_max_attempts": 2}),
    )
