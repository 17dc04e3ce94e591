"""What the steps that write a receipt share: their input, and its way into the ledger."""

from collections.abc import Iterable
from typing import Any, TypedDict

import msgspec
from msgspec import Raw, Struct

from amberflo_workflows.core.ledger.receipt import Entry, Outcome, encode_receipt
from amberflo_workflows.core.ledger.stream import put_receipt
from amberflo_workflows.core.usage_record import UsageRecord


class ReceiptExecution(Struct):
    """The execution whose receipt it is; ``id`` is its ARN."""

    id: str
    name: str


class ReceiptInput(Struct, rename="camel", kw_only=True):
    """The event of such a step; ``time`` is when Amberflo had responded, in ISO 8601.

    ``key_version`` is the version of the secret with the API key that the execution used.
    """

    request: Any
    key_version: str
    execution: ReceiptExecution
    time: str


class ReceiptOutput(TypedDict):
    """How many entries the receipt has."""

    entries: int


def build_entry(step_input: ReceiptInput, outcome: Outcome, **members: Any) -> Entry:
    """Build an entry with the members that all entries of a receipt have, and its own ``members``."""
    return Entry(
        outcome=outcome,
        time=step_input.time,
        execution_arn=step_input.execution.id,
        key_version=step_input.key_version,
        **members,
    )


def encode_record(record: UsageRecord) -> Raw:
    """Return a record in the bytes in which Amberflo gets it."""
    return Raw(msgspec.json.encode(record))


def write(entries: Iterable[Entry]) -> ReceiptOutput:
    """Write a receipt. Raises :class:`~amberflo_workflows.core.ledger.ReceiptNotWritten`."""
    entries = list(entries)
    put_receipt(encode_receipt(entries))
    return {"entries": len(entries)}
