"""The error of a ledger whose bucket cannot be used, which workflows retry."""

from collections.abc import Iterator
from contextlib import contextmanager


class LedgerUnavailable(Exception):
    """The bucket of the ledger could not be read or written. The workflow tries again."""


@contextmanager
def ledger_errors() -> Iterator[None]:
    """Raise :class:`LedgerUnavailable` for errors of AWS."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - slows down cold starts, see core/aws.py

    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "unknown error")
        raise LedgerUnavailable(f"The ledger cannot be used: {error.operation_name} failed ({code}).") from error
    except BotoCoreError as error:
        raise LedgerUnavailable(f"The ledger cannot be reached ({type(error).__name__}).") from error
