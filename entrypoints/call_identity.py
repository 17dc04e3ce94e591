"""The identity and time of a ``POST /ingest`` call, which its usages take where they have none of their own.

With an ``Idempotency-Key`` they are kept, so that the same call again gives the same records, and those count once.
What is remembered is the identity and not the answer: a call that failed half-way is done anew, and finished.
"""

import os
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, TypedDict

from aws_lambda_powertools.utilities.typing import LambdaContext

# Amberflo takes usage for 60 days; a call that is repeated later than that would be refused for its age.
REMEMBERED_SECONDS: Final = 60 * 24 * 60 * 60
MAX_KEY_LENGTH: Final = 255
_TRIES: Final = 20
_WAIT_SECONDS: Final = 0.1


class CallIdentity(TypedDict):
    """``id`` stands for an event's id, ``time`` (ISO 8601) for its time."""

    id: str
    time: str


class InvalidKey(ValueError):
    """The ``Idempotency-Key`` cannot be one."""


class KeyConflict(ValueError):
    """The ``Idempotency-Key`` came with another body before."""


class KeyStoreUnavailable(RuntimeError):
    """The table of keys could not be read or written; nothing was counted."""


def new_identity() -> CallIdentity:
    """An identity that no call had before."""
    return {"id": str(uuid.uuid4()), "time": datetime.now(UTC).isoformat()}


def stored_identity(key: str, *, caller: str, body: object, context: LambdaContext) -> CallIdentity:
    """The identity that ``caller`` got with this key before, else a new one that is kept for 60 days.

    Raises :class:`InvalidKey`, :class:`KeyConflict`, :class:`KeyStoreUnavailable`.
    """
    if not 1 <= len(key) <= MAX_KEY_LENGTH or not key.isprintable():
        raise InvalidKey(f"Idempotency-Key: It must have 1 to {MAX_KEY_LENGTH} printable characters.")
    from aws_lambda_powertools.utilities.idempotency.exceptions import (  # noqa: PLC0415 - see _remember
        IdempotencyAlreadyInProgressError,
        IdempotencyInconsistentStateError,
        IdempotencyPersistenceLayerError,
        IdempotencyValidationError,
    )

    for _ in range(_TRIES):
        try:
            return _remember()(call={"key": [caller, key], "body": body}, context=context)
        except (IdempotencyAlreadyInProgressError, IdempotencyInconsistentStateError):
            # The same call at the same moment; it writes its identity down in an instant.
            time.sleep(_WAIT_SECONDS)
        except IdempotencyValidationError:
            raise KeyConflict("This Idempotency-Key was used with another body; use a new key for new usage.") from None
        except IdempotencyPersistenceLayerError as error:
            raise KeyStoreUnavailable(
                f"The Idempotency-Key could not be looked up ({type(error.__cause__).__name__}); nothing was counted."
            ) from error
    raise KeyStoreUnavailable("Another call with this Idempotency-Key is at work; nothing was counted.")


def _minted(*, call: dict[str, Any]) -> CallIdentity:  # noqa: ARG001 - what it is remembered by
    return new_identity()


@cache
def _remember() -> Callable[..., CallIdentity]:
    # Imported on first use: it takes as long as all the rest, and only calls with a key need it.
    from aws_lambda_powertools.utilities.idempotency import (  # noqa: PLC0415 - see above
        DynamoDBPersistenceLayer,
        IdempotencyConfig,
        idempotent_function,
    )
    from botocore.config import Config  # noqa: PLC0415 - see above

    config = IdempotencyConfig(
        event_key_jmespath="key",
        payload_validation_jmespath="body",
        raise_on_no_idempotency_key=True,
        expires_after_seconds=REMEMBERED_SECONDS,
        hash_function="sha256",
    )
    table = DynamoDBPersistenceLayer(
        table_name=os.environ["IDEMPOTENCY_TABLE_NAME"], boto_config=Config(connect_timeout=1, read_timeout=2)
    )

    identity: Callable[..., CallIdentity] = idempotent_function(
        _minted, data_keyword_argument="call", persistence_store=table, config=config, key_prefix="ingest"
    )

    def remember(*, call: dict[str, Any], context: LambdaContext) -> CallIdentity:
        # Without it, a process that dies here would keep the key busy for all of the 60 days.
        config.register_lambda_context(context)
        return identity(call=call)

    return remember
