"""What the steps of ``reconcile_usage`` share."""

from datetime import datetime

from msgspec import Struct


class ReconciliationExecution(Struct, rename="camel", kw_only=True):
    """The execution; ``id`` is its ARN, ``start_time`` is ISO 8601 in JSON."""

    name: str
    start_time: datetime
    id: str = ""


class ReceiptBatch(Struct):
    """The receipts with keys after one and up to another."""

    after: str
    last: str


class ComparedPart(Struct):
    """Hours from the start to the end, in epoch seconds."""

    start: int
    end: int
