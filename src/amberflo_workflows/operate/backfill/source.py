"""Files of usages, on this machine or on S3."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from botocore.exceptions import ClientError, ParamValidationError

from amberflo_workflows.core.file_encoding import InvalidFile
from amberflo_workflows.core.s3_object import S3Object, read_gzip, read_object

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CHUNK_BYTES: Final = 1 << 18


class UsageSource(Protocol):
    """A file of usages. Methods raise :class:`InvalidFile`."""

    @property
    def file_name(self) -> str:
        """The file's name without folders."""

    def fingerprint(self) -> str:
        """Return a text that is different after the file has changed."""

    def size(self) -> int | None:
        """Return the number of uncompressed bytes, ``None`` if it is not known."""

    def read(self, begin: int = 0) -> Iterator[bytes]:
        """Read the uncompressed bytes from a byte on."""


@dataclass(frozen=True)
class LocalFile:
    """A file on this machine; a name that ends in ``.gz`` is read as gzip."""

    path: Path

    @property
    def file_name(self) -> str:
        """The file's name without folders."""
        return self.path.name

    def fingerprint(self) -> str:
        """Return a text that is different after the file has changed."""
        try:
            stat = self.path.stat()
        except OSError as error:
            raise InvalidFile(f"{self.path} cannot be read: {error.strerror}") from None
        return f"{self.path.resolve()} {stat.st_size} {stat.st_mtime_ns}"

    def size(self) -> int | None:
        """Return the number of bytes, ``None`` for a gzip file."""
        return None if self._is_gzip else self.path.stat().st_size

    def read(self, begin: int = 0) -> Iterator[bytes]:
        """Read the uncompressed bytes from a byte on."""
        try:
            if self._is_gzip:
                with gzip.open(self.path) as uncompressed:
                    yield from read_gzip(uncompressed, self.path.name, begin)
                return
            with self.path.open("rb") as file:
                file.seek(begin)
                while chunk := file.read(_CHUNK_BYTES):
                    yield chunk
        except OSError as error:
            raise InvalidFile(f"{self.path} cannot be read: {error.strerror}") from None

    @property
    def _is_gzip(self) -> bool:
        return self.path.name.lower().endswith(".gz")


@dataclass(frozen=True)
class S3File:
    """An object on S3, in the version that was read first."""

    s3: "S3Client"
    object: S3Object
    length: int

    @classmethod
    def from_url(cls, s3: Any, url: str) -> "S3File":
        """Return the object of ``s3://BUCKET/KEY``. Raises :class:`InvalidFile`."""
        bucket, _, key = url.removeprefix("s3://").partition("/")
        if not (bucket and key):
            raise InvalidFile(f"{url} is not the address of an object, which has the form s3://BUCKET/KEY.")
        try:
            head = s3.head_object(Bucket=bucket, Key=key)
        except UnicodeEncodeError:
            raise InvalidFile(f"{url} has bytes that are not UTF-8, which no key has.") from None
        except (ClientError, ParamValidationError) as error:
            raise InvalidFile(f"{url} cannot be read: {error}") from None
        return cls(s3, S3Object(bucket, key, head["ETag"]), head["ContentLength"])

    @property
    def file_name(self) -> str:
        """The last part of the key."""
        return self.object.key.rsplit("/", 1)[-1]

    def fingerprint(self) -> str:
        """Return a text that is different after the object has changed."""
        return f"s3://{self.object.bucket}/{self.object.key} {self.object.etag}"

    def size(self) -> int | None:
        """Return the number of bytes, ``None`` for a gzip object."""
        return None if self.object.is_compressed else self.length

    def read(self, begin: int = 0) -> Iterator[bytes]:
        """Read the uncompressed bytes from a byte on."""
        return read_object(self.s3, self.object, begin)
