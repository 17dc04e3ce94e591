"""What fails when the ledger is read, as one error."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from amberflo_workflows.core.ledger.receipt import UnreadableObject


class LedgerNotRead(Exception):
    """The ledger could not be read; the message says why."""


@contextmanager
def raised_as_ledger_not_read() -> Iterator[None]:
    """Raise :class:`LedgerNotRead` instead of botocore's errors and
    :class:`~amberflo_workflows.core.ledger.receipt.UnreadableObject`.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - loads with boto3, see core/aws.py

    try:
        yield
    except UnreadableObject as error:
        raise LedgerNotRead(str(error)) from error
    except (BotoCoreError, ClientError) as error:
        raise LedgerNotRead(f"The ledger cannot be read: {error}") from error
    except msgspec.DecodeError as error:
        raise LedgerNotRead(f"The ledger has an invalid entry: {error}") from error
