"""Read an S3 object as a stream of bytes, from any byte on."""

import gzip
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from amberflo_workflows.core import aws
from amberflo_workflows.core.file_encoding import InvalidFile

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PIECE_BYTES: Final = 1 << 18


class S3Object(Struct):
    """An object in the version that ``etag`` identifies."""

    bucket: str
    key: str
    etag: str

    @property
    def is_compressed(self) -> bool:
        """Whether it is a gzip file, by its name."""
        return self.key.lower().endswith(".gz")


def s3_client() -> "S3Client":
    """Return the client for reading objects."""
    s3: S3Client = aws.client("s3", read_seconds=10)
    return s3


def read_object(s3: "S3Client", s3_object: S3Object, start: int = 0) -> Iterator[bytes]:
    """Yield an object in pieces, from a byte on. A gzip file is decompressed; ``start`` counts decompressed bytes.

    Raises :class:`InvalidFile` for a broken gzip file, and botocore's errors, also if the object has changed.
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415 - slow to import

    if s3_object.is_compressed:
        body = s3.get_object(Bucket=s3_object.bucket, Key=s3_object.key, IfMatch=s3_object.etag)["Body"]
        with gzip.GzipFile(fileobj=body) as file:
            yield from read_gzip(file, s3_object.key, start)
    else:
        try:
            response = s3.get_object(
                Bucket=s3_object.bucket, Key=s3_object.key, IfMatch=s3_object.etag, Range=f"bytes={start}-"
            )
        except ClientError as error:
            # There is no byte at or after ``start``.
            if error.response["Error"]["Code"] == "InvalidRange":
                return
            raise
        yield from response["Body"].iter_chunks(_PIECE_BYTES)


def read_gzip(file: gzip.GzipFile, name: str, start: int) -> Iterator[bytes]:
    """Yield the decompressed bytes of a gzip file, from a byte on. Raises :class:`InvalidFile` if it is broken."""
    try:
        while start > 0 and (skipped := file.read(min(_PIECE_BYTES, start))):
            start -= len(skipped)
        while piece := file.read(_PIECE_BYTES):
            yield piece
    except (zlib.error, EOFError, OSError) as error:
        raise InvalidFile(
            f"{name} is not a complete gzip file: {str(error).rstrip('.')}. Create or upload it again."
        ) from None
