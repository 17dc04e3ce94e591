"""Read an S3 object as a stream of bytes, from any byte on."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from amberflo_workflows.core import aws
from amberflo_workflows.core.file_encoding import HEAD_BYTES, PIECE_BYTES, decode, is_encoded, skip_bytes

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_NO_SUCH_BYTES: Final = "InvalidRange"
# Without a byte in between. Each is followed by a request for the rest.
_MAX_INTERRUPTIONS: Final = 2


class S3Object(Struct, rename="camel"):
    """An object in the version that ``etag`` identifies, and whether it has to be decoded from its start."""

    bucket: str
    key: str
    etag: str
    is_encoded: bool


def s3_client() -> "S3Client":
    """Return the client for reading objects."""
    s3: S3Client = aws.client("s3", read_seconds=10)
    return s3


def describe_object(s3: "S3Client", bucket: str, key: str) -> tuple[S3Object, int]:
    """Return the object and its size in bytes. Raises botocore's errors."""
    head = s3.head_object(Bucket=bucket, Key=key)
    s3_object = S3Object(bucket, key, head["ETag"], is_encoded=False)
    start = b"".join(_read_from(s3, s3_object, 0, HEAD_BYTES - 1))
    s3_object.is_encoded = is_encoded(start)
    return s3_object, head["ContentLength"]


def read_object(s3: "S3Client", s3_object: S3Object, start: int = 0) -> Iterator[bytes]:
    """Yield an object in pieces, decoded, from a byte of the decoded text on.

    Raises :class:`~amberflo_workflows.core.file_encoding.InvalidFile` for broken gzip or UTF-16, and botocore's
    errors, also if the object has changed.
    """
    if s3_object.is_encoded:
        return skip_bytes(decode(_read_from(s3, s3_object, 0), s3_object.key), start)
    return _read_from(s3, s3_object, start)


def _read_from(s3: "S3Client", s3_object: S3Object, start: int, last: int | None = None) -> Iterator[bytes]:
    """Yield the bytes of an object from ``start``, to ``last`` or its end."""
    from botocore.exceptions import (  # noqa: PLC0415 - slows down cold starts, see core/aws.py
        ClientError,
        ReadTimeoutError,
        ResponseStreamingError,
    )

    # botocore repeats a request that fails, but not one that is interrupted while the body is read.
    interruptions = 0
    while last is None or start <= last:
        byte_range = f"bytes={start}-{'' if last is None else last}"
        try:
            response = s3.get_object(
                Bucket=s3_object.bucket, Key=s3_object.key, IfMatch=s3_object.etag, Range=byte_range
            )
            for piece in response["Body"].iter_chunks(PIECE_BYTES):
                start += len(piece)
                interruptions = 0
                yield piece
        except ClientError as error:
            # There is no byte at or after ``start``.
            if error.response["Error"]["Code"] == _NO_SUCH_BYTES:
                return
            raise
        except (ReadTimeoutError, ResponseStreamingError):
            interruptions += 1
            if interruptions > _MAX_INTERRUPTIONS:
                raise
        else:
            return
