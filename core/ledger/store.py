"""The objects in the ledger's bucket: list, read and write them. Methods raise botocore's errors."""

import os
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Final, NamedTuple

import msgspec
from msgspec import Struct

from amberflo_workflows.core import aws
from amberflo_workflows.core.ledger.layout import (
    INDEX_PREFIX,
    RULES_PREFIX,
    SORTED_PREFIX,
    SORTED_UNTIL_KEY,
    format_folder,
    name_of_receipt,
    parse_hour,
)
from amberflo_workflows.core.ledger.receipt import (
    RECEIPTS_PREFIX,
    LedgerEntry,
    LineFilter,
    accept_all,
    decode_receipts,
    encode_receipt,
)
from amberflo_workflows.core.ledger.runs import RunItem, write_run

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PARALLEL_OBJECTS: Final = 16
# Objects that are held in memory at a time, with those that are read ahead. Firehose's largest has 64 MB.
_MAX_HELD_BYTES: Final = 64_000_000
# An object is under the hour of its oldest receipt, and Firehose collects an object for at most this time:
# https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
MAX_BUFFER_SECONDS: Final = 900


class StoredObject(NamedTuple):
    """The key of an object, its size in bytes, and when it was stored."""

    key: str
    size: int
    modified: datetime


class ReceiptIndex(Struct):
    """The hours that a sorted receipt has usage of, in epoch seconds."""

    hours: list[int]


class SortedUntil(Struct):
    """All receipts of the hours before this one, in epoch seconds, are sorted."""

    until: int


@dataclass(frozen=True)
class LedgerStore:
    """The bucket of a ledger, and the client to call it with."""

    s3: "S3Client"
    bucket: str

    def iterate_objects(self, prefix: str, *, after: str = "", last: str = "") -> Iterator[StoredObject]:
        """Yield the objects of a prefix in the order of their keys: those after a key, up to another."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=prefix, StartAfter=after or prefix
        )
        for page in pages:
            for item in page.get("Contents", []):
                if last and item["Key"] > last:
                    return
                yield StoredObject(item["Key"], item["Size"], item["LastModified"])

    def list_hours(self, prefix: str, start: int, end: int) -> Iterator[StoredObject]:
        """Yield the objects of a prefix in the folders of the hours from ``start`` to ``end``, in epoch seconds."""
        # The last character is after any in a key.
        return self.iterate_objects(prefix, after=format_folder(prefix, start), last=format_folder(prefix, end) + "~")

    def list_receipts(self, start: int, end: int) -> Iterator[StoredObject]:
        """Yield the receipts that have entries from ``start`` to ``end`` in epoch seconds, and some around them."""
        return self.list_hours(RECEIPTS_PREFIX, start - MAX_BUFFER_SECONDS, end)

    def read_receipts(self, receipts: Iterable[StoredObject], accept: LineFilter = accept_all) -> Iterator[LedgerEntry]:
        """Yield the entries of receipts, in the order of these.

        Raises :class:`~amberflo_workflows.core.ledger.receipt.UnreadableObject`.
        """
        with ThreadPoolExecutor(PARALLEL_OBJECTS) as pool:
            for group in _group_by_size(receipts):
                for receipt, content in zip(group, pool.map(self.get, group), strict=True):
                    yield from decode_receipts(content, receipt.key, accept)

    def list_unsorted(self, start: int, *, after: str = "", last: str = "") -> Iterator[StoredObject]:
        """Yield the receipts that are not sorted and whose hour is not before ``start`` in epoch seconds."""
        first = after or format_folder(RECEIPTS_PREFIX, start)
        index_last = INDEX_PREFIX + name_of_receipt(last) if last else ""
        index = self.iterate_objects(INDEX_PREFIX, after=INDEX_PREFIX + name_of_receipt(first), last=index_last)
        indexed = next(index, None)
        # Both lists have the order of their names.
        for receipt in self.iterate_objects(RECEIPTS_PREFIX, after=first, last=last):
            name = name_of_receipt(receipt.key)
            while indexed and indexed.key.removeprefix(INDEX_PREFIX) < name:
                indexed = next(index, None)
            if not indexed or indexed.key.removeprefix(INDEX_PREFIX) != name:
                yield receipt

    def write_run(self, hour: int, items: Iterable[RunItem], name: str) -> None:
        """Write a run of an hour."""
        with TemporaryFile() as file:
            write_run(items, file)
            file.seek(0)
            key = f"{format_folder(SORTED_PREFIX, hour)}{name}.ndjson.gz"
            self.s3.put_object(Bucket=self.bucket, Key=key, Body=file)

    def list_runs(self, start: int, end: int) -> Iterator[tuple[int, list[StoredObject]]]:
        """Yield the hours from ``start`` to ``end`` that have runs, all in epoch seconds, and their runs."""
        runs = self.list_hours(SORTED_PREFIX, start, end - 1)
        for hour, group in groupby(runs, key=lambda run: parse_hour(run.key)):
            yield hour, list(group)

    def download(self, key: str) -> IO[bytes]:
        """Return the content of an object as a temporary file, for the caller to close."""
        file = TemporaryFile()  # noqa: SIM115 - returned open, for the caller to close
        shutil.copyfileobj(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"], file)
        file.seek(0)
        return file

    def write_rules(self, receipt_key: str, entries: Iterable[LedgerEntry]) -> None:
        """Write the entries of a receipt that are rules."""
        self.put(f"{RULES_PREFIX}{name_of_receipt(receipt_key)}", encode_receipt(entries))

    def read_rules(self) -> Iterator[LedgerEntry]:
        """Yield the rules of all receipts that are sorted."""
        return self.read_receipts(self.iterate_objects(RULES_PREFIX))

    def write_index(self, receipt_key: str, index: ReceiptIndex) -> None:
        """Note that a receipt is sorted."""
        self.put(f"{INDEX_PREFIX}{name_of_receipt(receipt_key)}", msgspec.json.encode(index))

    def read_touched_hours(self, start: int, end: int) -> set[int]:
        """Return the hours of the usage that was counted or cancelled from ``start`` to ``end``, in epoch seconds."""
        items = self.list_hours(INDEX_PREFIX, start - MAX_BUFFER_SECONDS, end)
        with ThreadPoolExecutor(PARALLEL_OBJECTS) as pool:
            indexes = (msgspec.json.decode(content, type=ReceiptIndex) for content in pool.map(self.get, items))
            return {hour for index in indexes for hour in index.hours}

    def read_sorted_until(self) -> int:
        """Return the hour before which all receipts are sorted, in epoch seconds, or 0."""
        for item in self.iterate_objects("", after=SORTED_UNTIL_KEY[:-1], last=SORTED_UNTIL_KEY):
            return msgspec.json.decode(self.get(item), type=SortedUntil).until
        return 0

    def write_sorted_until(self, until: int) -> None:
        """Note that all receipts of the hours before ``until`` are sorted."""
        self.put(SORTED_UNTIL_KEY, msgspec.json.encode(SortedUntil(until)))

    def get(self, item: StoredObject) -> bytes:
        """Return the content of an object."""
        return self.s3.get_object(Bucket=self.bucket, Key=item.key)["Body"].read()

    def put(self, key: str, content: bytes) -> None:
        """Write an object."""
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=content)


def own_ledger() -> LedgerStore:
    """Return the ledger of the deployment that a Lambda belongs to."""
    return LedgerStore(aws.client("s3", read_seconds=10), os.environ["LEDGER_BUCKET_NAME"])


def _group_by_size(items: Iterable[StoredObject]) -> Iterator[list[StoredObject]]:
    """Split objects into groups that can be held in memory."""
    group: list[StoredObject] = []
    size = 0
    for item in items:
        if group and (size + item.size > _MAX_HELD_BYTES or len(group) >= PARALLEL_OBJECTS):
            yield group
            group, size = [], 0
        group.append(item)
        size += item.size
    if group:
        yield group
