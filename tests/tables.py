"""Tables of a test in the emulator."""

import contextlib
from collections.abc import Iterator
from typing import Any

from amberflo_workflows.local.emulator import Emulator


@contextlib.contextmanager
def running_table(emulator: Emulator, name: str) -> Iterator[Any]:
    """Create a table with the key ``id`` until the end of the ``with`` block. Yields a client."""
    client = emulator.client("dynamodb")
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield client
    client.delete_table(TableName=name)
