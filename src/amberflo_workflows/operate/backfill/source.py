"""Files of usages, on this machine or on S3."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import ClientError, ParamValidationError

from amberflo_workflows.core.file_encoding import (
    HEAD_BYTES,
    InvalidFile,
    decode,
    is_encoded,
    read_pieces,
    skip_bytes,
)
from amberflo_workflows.core.s3_object import S3Object, describe_object, read_object

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class UsageSource(Protocol):
    """A file of usages. Methods raise :class:`InvalidFile`."""

    @property
    def file_name(self) -> str:
        """The file's name without folders."""

    def fingerprint(self) -> str:
        """Return a text that is different after the file has changed."""

    def size(self) -> int | None:
        """Return the number of decoded bytes, ``None`` if it is not known."""

    def read(self, begin: int = 0) -> Iterator[bytes]:
        """Read the decoded bytes from a byte on."""


@dataclass(frozen=True)
class LocalFile:
    """A file on this machine."""

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
            raise self._build_error(error) from None
        return f"{self.path.resolve()} {stat.st_size} {stat.st_mtime_ns}"

    def size(self) -> int | None:
        """Return the number of bytes, ``None`` for a file that is decoded."""
        with self._open() as file:
            return None if is_encoded(file.read(HEAD_BYTES)) else self.path.stat().st_size

    def read(self, begin: int = 0) -> Iterator[bytes]:
        """Read the decoded bytes from a byte on."""
        with self._open() as file:
            try:
                encoded = is_encoded(file.read(HEAD_BYTES))
                file.seek(0 if encoded else begin)
                pieces = read_pieces(file)
                yield from skip_bytes(decode(pieces, self.path.name), begin) if encoded else pieces
            except OSError as error:
                raise self._build_error(error) from None

    def _open(self) -> BufferedReader:
        try:
            return self.path.open("rb")
        except OSError as error:
            raise self._build_error(error) from None

    def _build_error(self, error: OSError) -> InvalidFile:
        return InvalidFile(f"{self.path} cannot be read: {error.strerror}")


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
            s3_object, length = describe_object(s3, bucket, key)
        except UnicodeEncodeError:
            raise InvalidFile(f"{url} has bytes that are not UTF-8, which no key has.") from None
        except (ClientError, ParamValidationError) as error:
            raise InvalidFile(f"{url} cannot be read: {error}") from None
        return cls(s3, s3_object, length)

    @property
    def file_name(self) -> str:
        """The last part of the key."""
        return self.object.key.rsplit("/", 1)[-1]

    def fingerprint(self) -> str:
        """Return a text that is different after the object has changed."""
        return f"s3://{self.object.bucket}/{self.object.key} {self.object.etag}"

    def size(self) -> int | None:
        """Return the number of bytes, ``None`` for an object that is decoded."""
        return None if self.object.is_encoded else self.length

    def read(self, begin: int = 0) -> Iterator[bytes]:
        """Read the decoded bytes from a byte on."""
        return read_object(self.s3, self.object, begin)
