from collections.abc import Iterator

import pytest

from amberflo_workflows.core.ledger.store import LedgerStore
from amberflo_workflows.local.emulator import Emulator

BUCKET = "ledger-of-tests"


@pytest.fixture
def store(emulator: Emulator) -> Iterator[LedgerStore]:
    """An empty ledger in a bucket of the emulator."""
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    yield LedgerStore(s3, BUCKET)
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for item in page.get("Contents", []):
            s3.delete_object(Bucket=BUCKET, Key=item["Key"])
    s3.delete_bucket(Bucket=BUCKET)
