"""How files were sent, so that no row counts twice because its file is read in another way.

The rows of a file keep their identity with any options, but their records change, and Amberflo counts both. So the
options of each file are an object in the bucket for files, under the identity of the file's first row. The bucket
deletes it after 60 days, which is how long Amberflo accepts usage.
"""

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct

from amberflo_workflows.core.file_encoding import InvalidFile
from amberflo_workflows.core.file_options import FileOptions
from amberflo_workflows.core.file_rows import FileRow
from amberflo_workflows.core.usage_file import identify_row

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PREFIX: Final = "sent/"
# Of the options of a file. They do not change the record of a row.
_NOT_COMPARED: Final = ("name", "format")


class SentFile(Struct):
    """The options of a file that was sent, and when (ISO 8601)."""

    at: str
    options: dict[str, Any]


def describe_difference(s3: "S3Client", bucket: str, options: FileOptions, first: FileRow) -> str:
    """Return how a file was read when it was sent before, if that differs from the options, else an empty text.

    Raises botocore's errors.
    """
    sent = _read(s3, bucket, _build_key(options, first))
    return _describe(sent, options) if sent else ""


def remember(s3: "S3Client", bucket: str, options: FileOptions, first: FileRow, *, is_cancelled: bool) -> bool:
    """Store the options of a file that is about to be sent; return whether it was not sent before.

    Raises :class:`InvalidFile` if it was sent with other options, unless what was counted is cancelled, and botocore's
    errors.
    """
    sent = _read(s3, bucket, _build_key(options, first))
    difference = _describe(sent, options) if sent else ""
    if difference and not is_cancelled:
        raise InvalidFile(
            f"The rows of the file would count twice: {difference}. Send it with the same options, or only the rows "
            "that were rejected (--only-refused). If what was counted is cancelled, set --after-cancellation "
            "(afterCancellation). If it is another file, or other usage in the same rows, set a --name (name)."
        )
    current = SentFile(datetime.now(UTC).isoformat(timespec="seconds"), _build_options(options))
    s3.put_object(Bucket=bucket, Key=_build_key(options, first), Body=msgspec.json.encode(current))
    return sent is None


def forget(s3: "S3Client", bucket: str, options: FileOptions, first: FileRow) -> None:
    """Delete the options of a file of which nothing was counted. Raises botocore's errors."""
    s3.delete_object(Bucket=bucket, Key=_build_key(options, first))


def _describe(sent: SentFile, options: FileOptions) -> str:
    current = _build_options(options)
    names = [name for name in current if sent.options.get(name) != current[name]]
    before, now = (
        ", ".join(f"{name}={msgspec.json.encode(values.get(name)).decode()[:200]}" for name in names)
        for values in (sent.options, current)
    )
    return f"it was sent at {sent.at} with {before}, and now it has {now}" if names else ""


def _read(s3: "S3Client", bucket: str, key: str) -> SentFile | None:
    try:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except s3.exceptions.NoSuchKey:
        return None
    return msgspec.json.decode(body, type=SentFile)


def _build_key(options: FileOptions, first: FileRow) -> str:
    identity = identify_row(first, options.name)
    return f"{PREFIX}{hashlib.sha256(identity.encode()).hexdigest()[:32]}.json"


def _build_options(options: FileOptions) -> dict[str, Any]:
    values: dict[str, Any] = msgspec.to_builtins(options)
    return {
        name: sorted(value) if isinstance(value, list) else value
        for name, value in values.items()
        if name not in _NOT_COMPARED
    }
