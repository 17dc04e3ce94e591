"""An S3 object as a stream of its bytes, from wherever one likes."""

import gzip
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from amberflo_workflows.core import aws
from amberflo_workflows.core.usage_file import InvalidFile

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PIECE_BYTES: Final = 1 << 18


class S3Object(Struct):
    """An object as it was when it was looked at, which ``etag`` tells."""

    bucket: str
    key: str
    etag: str

    @property
    def is_packed(self) -> bool:
        """Whether it is compressed; its name tells."""
        return self.key.lower().endswith(".gz")


def s3_client() -> "S3Client":
    """The client for reading objects."""
    s3: S3Client = aws.client("s3", read_seconds=10)
    return s3


def read_object(s3: "S3Client", wanted: S3Object, begin: int = 0) -> Iterator[bytes]:
    """The object from a byte on, in pieces; a compressed one is unpacked, and ``begin`` is a byte of what comes out.

    Raises :class:`InvalidFile` for a broken gzip file, and botocore's errors, one of them if the object has changed.
    """
    if wanted.is_packed:
        body = s3.get_object(Bucket=wanted.bucket, Key=wanted.key, IfMatch=wanted.etag)["Body"]
        with gzip.GzipFile(fileobj=body) as unpacked:
            yield from read_gzip(unpacked, wanted.key, begin)
    else:
        answer = s3.get_object(Bucket=wanted.bucket, Key=wanted.key, IfMatch=wanted.etag, Range=f"bytes={begin}-")
        yield from answer["Body"].iter_chunks(_PIECE_BYTES)


def read_gzip(unpacked: gzip.GzipFile, name: str, begin: int) -> Iterator[bytes]:
    """What a gzip file holds, from a byte on. Raises :class:`InvalidFile` if it is broken."""
    try:
        while begin > 0 and (skipped := unpacked.read(min(_PIECE_BYTES, begin))):
            begin -= len(skipped)
        while piece := unpacked.read(_PIECE_BYTES):
            yield piece
    except (gzip.BadGzipFile, EOFError, OSError) as error:
        raise InvalidFile(f"{name} is no whole gzip file: {error}") from None
