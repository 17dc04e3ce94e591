"""A file of usages: on this machine or on S3."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from botocore.exceptions import ClientError

from amberflo_workflows.core.s3_object import S3Object, read_gzip, read_object
from amberflo_workflows.core.usage_file import InvalidFile

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PIECE_BYTES: Final = 1 << 18


class UsageSource(Protocol):
    """Where a file is. Methods raise :class:`InvalidFile`."""

    @property
    def file_name(self) -> str:
        """Its name without folders."""

    def fingerprint(self) -> str:
        """Another for a file that has changed."""

    def size(self) -> int | None:
        """Bytes that will come out of it, if that can be told."""

    def read(self, begin: int = 0) -> Iterator[bytes]:
        """Its bytes from one on."""


@dataclass(frozen=True)
class LocalFile:
    """A file on this machine; ``.gz`` is unpacked."""

    path: Path

    @property
    def file_name(self) -> str:
        """Its name without folders."""
        return self.path.name

    def fingerprint(self) -> str:
        """Another for a file that has changed."""
        try:
            stat = self.path.stat()
        except OSError as error:
            raise InvalidFile(f"{self.path} cannot be read: {error.strerror}") from None
        return f"{self.path.resolve()} {stat.st_size} {stat.st_mtime_ns}"

    def size(self) -> int | None:
        """Bytes that will come out of it; of a packed file nobody knows."""
        return None if self._is_packed else self.path.stat().st_size

    def read(self, begin: int = 0) -> Iterator[bytes]:
        """Its bytes from one on."""
        try:
            if self._is_packed:
                with gzip.open(self.path) as unpacked:
                    yield from read_gzip(unpacked, self.path.name, begin)
                return
            with self.path.open("rb") as file:
                file.seek(begin)
                while piece := file.read(_PIECE_BYTES):
                    yield piece
        except OSError as error:
            raise InvalidFile(f"{self.path} cannot be read: {error.strerror}") from None

    @property
    def _is_packed(self) -> bool:
        return self.path.name.lower().endswith(".gz")


@dataclass(frozen=True)
class S3File:
    """An object on S3, as it was when it was found."""

    s3: "S3Client"
    found: S3Object
    length: int

    @classmethod
    def of(cls, s3: Any, url: str) -> "S3File":
        """The object of ``s3://BUCKET/KEY``. Raises :class:`InvalidFile`."""
        bucket, _, key = url.removeprefix("s3://").partition("/")
        if not (bucket and key):
            raise InvalidFile(f"{url} is no address of an object; it is like s3://BUCKET/KEY")
        try:
            head = s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            raise InvalidFile(f"{url} cannot be read: {error}") from None
        return cls(s3, S3Object(bucket, key, head["ETag"]), head["ContentLength"])

    @property
    def file_name(self) -> str:
        """The end of its key."""
        return self.found.key.rsplit("/", 1)[-1]

    def fingerprint(self) -> str:
        """Another for an object that has changed."""
        return f"s3://{self.found.bucket}/{self.found.key} {self.found.etag}"

    def size(self) -> int | None:
        """Bytes that will come out of it; of a packed object nobody knows."""
        return None if self.found.is_compressed else self.length

    def read(self, begin: int = 0) -> Iterator[bytes]:
        """Its bytes from one on."""
        return read_object(self.s3, self.found, begin)
