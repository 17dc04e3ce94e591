"""The receipts in the ledger of a deployment, by the time at which they were written."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final, NamedTuple

from amberflo_workflows.core.receipt import RECEIPTS_PREFIX, Entry, decode_receipts
from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.errors import OperatorError

PARALLEL_OBJECTS: Final = 16
# An object is under the hour of its oldest receipt, and Firehose collects an object for at most this time:
# https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
_MAX_BUFFER: Final = timedelta(minutes=15)


class LedgerEntry(NamedTuple):
    """An entry, and the key of the object that has it."""

    entry: Entry
    key: str

    @property
    def time(self) -> datetime:
        """When Amberflo had responded."""
        return datetime.fromisoformat(self.entry.time)


@dataclass(frozen=True)
class LedgerReader:
    """The ledger of a deployment. Methods raise :class:`OperatorError` and botocore's errors."""

    deployment: Deployment

    def read(self, start: datetime, end: datetime) -> Iterator[LedgerEntry]:
        """Yield what was written from ``start`` to ``end``, both in UTC, and some of what was written around it."""
        keys = self._list_keys(start - _MAX_BUFFER, end)
        with ThreadPoolExecutor(PARALLEL_OBJECTS) as pool:
            while some_keys := list(islice(keys, PARALLEL_OBJECTS)):
                for key, entries in zip(some_keys, pool.map(self._read_object, some_keys), strict=True):
                    yield from (LedgerEntry(entry, key) for entry in entries)

    def _list_keys(self, start: datetime, end: datetime) -> Iterator[str]:
        """List the keys in the order of their hours."""
        first, last = (f"{RECEIPTS_PREFIX}date={hour:%Y-%m-%d}/hour={hour:%H}/" for hour in (start, end))
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=RECEIPTS_PREFIX, StartAfter=first
        )
        for item in pages.search("Contents[]"):
            if item is None or item["Key"][: len(last)] > last:
                return
            yield item["Key"]

    def _read_object(self, key: str) -> list[Entry]:
        content = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        try:
            return list(decode_receipts(content))
        except ValueError as error:
            raise OperatorError(f"The receipt s3://{self._bucket}/{key} cannot be read: {error}") from None

    @property
    def _bucket(self) -> str:
        try:
            return self.deployment.outputs["LedgerBucketName"]
        except KeyError:
            raise OperatorError(f"Stack {self.deployment.stack} has no ledger: upgrade it first.") from None

    @property
    def _client(self) -> Any:
        return self.deployment.client("s3")
