"""The claim check: a response that is too large for a state's output is stored in a bucket, and a claim replaces it.

``{"statusCode", "claim": {"bucket", "key", "bytes"}}`` then replaces ``{"statusCode", "body"}``. The ``api`` function
fetches the body and deletes it. The bucket deletes a body that nobody fetched after a day.
"""

import os
import uuid
from typing import TYPE_CHECKING, Any, Final

import msgspec

from amberflo_workflows.core import aws
from amberflo_workflows.core.observability import logger
from amberflo_workflows.core.response import (
    MAX_INLINE_BYTES,
    Claim,
    ClaimResponse,
    PayloadTooLarge,
    StepResponse,
    json_size,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# The limit of a Lambda's response, and so of what a caller can get.
MAX_BODY_BYTES: Final = 6 * 1024 * 1024
# For a connection to S3, and for each read. The workflow has used most of the caller's time.
TIMEOUT_SECONDS: Final = 1


class ResponseNotStored(Exception):
    """A large response could not be stored in the bucket."""


class ResponseNotFetched(Exception):
    """A large response could not be fetched; the message says why."""


def store_if_large(response: StepResponse, execution: str, *, advice: str) -> StepResponse | ClaimResponse:
    """Return the response, or a claim to it if it is too large for a state.

    Raises :class:`PayloadTooLarge`, whose message ends with the ``advice`` how to ask for less, and
    :class:`ResponseNotStored`.
    """
    if json_size(response["body"]) <= MAX_INLINE_BYTES:
        return response
    body = msgspec.json.encode(response["body"])
    if len(body) > MAX_BODY_BYTES:
        raise PayloadTooLarge(f"The response has {len(body):,} bytes; the limit is {MAX_BODY_BYTES:,}. {advice}")
    return {"statusCode": response["statusCode"], "claim": _store(body, execution)}


def redeem(claim: Claim) -> dict[str, Any]:
    """Fetch the body of a claim and delete it. Raises :class:`ResponseNotFetched`.

    The bucket is always this deployment's own, whatever the claim says. A body that cannot be deleted is returned
    all the same: the bucket deletes it after a day.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - slows down cold starts, see core/aws.py

    bucket, key = os.environ["ANSWERS_BUCKET_NAME"], claim["key"]
    # An attempt that times out is not repeated: the caller's time is nearly over by then.
    s3: S3Client = aws.client("s3", connect_seconds=TIMEOUT_SECONDS, read_seconds=TIMEOUT_SECONDS, attempts=1)
    try:
        body = aws.repeat_if_disconnected(lambda: _fetch(s3, bucket, key))
    except (BotoCoreError, ClientError) as error:
        raise ResponseNotFetched(f"{bucket}/{key}: {type(error).__name__}: {error}") from error
    try:
        s3.delete_object(Bucket=bucket, Key=key)
    except (BotoCoreError, ClientError):
        logger.exception("answer not deleted", extra={"key": key})
    return msgspec.json.decode(body, type=dict[str, Any])


def _fetch(s3: "S3Client", bucket: str, key: str) -> bytes:
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def _store(body: bytes, execution: str) -> Claim:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - slows down cold starts, see core/aws.py

    bucket, key = os.environ["ANSWERS_BUCKET_NAME"], f"{execution}/{uuid.uuid4()}.json"
    s3: S3Client = aws.client("s3", connect_seconds=TIMEOUT_SECONDS, read_seconds=TIMEOUT_SECONDS, attempts=2)
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "unknown error")
        raise ResponseNotStored(f"The response could not be stored in the bucket '{bucket}' ({code}).") from None
    except BotoCoreError as error:
        raise ResponseNotStored(f"The bucket '{bucket}' could not be reached ({type(error).__name__}).") from None
    logger.info("answer left in the bucket", extra={"key": key, "bytes": len(body)})
    return {"bucket": bucket, "key": key, "bytes": len(body)}
