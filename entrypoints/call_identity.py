"""The identity and time of a ``POST /ingest`` call, which apply to usages that have none of their own.

With an ``Idempotency-Key`` they are stored, so that a repeated call gives the same records, which count once. The
response is not stored: repeating a call that failed half-way completes it.
"""

import os
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, TypedDict

from aws_lambda_powertools.utilities.typing import LambdaContext

from amberflo_workflows.core.canonical import normalize_json
from amberflo_workflows.entrypoints.caller import Caller

# Amberflo accepts usage for 60 days, so a call that is repeated later would be rejected for its age.
KEY_LIFETIME_SECONDS: Final = 60 * 24 * 60 * 60
MAX_KEY_LENGTH: Final = 255
_MAX_ATTEMPTS: Final = 20
_WAIT_SECONDS: Final = 0.1


class CallIdentity(TypedDict):
    """What a call has in place of an event's id and its time (ISO 8601)."""

    id: str
    time: str


class InvalidKey(ValueError):
    """The ``Idempotency-Key`` is invalid."""


class KeyConflict(ValueError):
    """The ``Idempotency-Key`` was used with another body."""


class KeyStoreUnavailable(RuntimeError):
    """The table of keys could not be read or written; nothing was counted."""


def create_identity() -> CallIdentity:
    """Return an identity that no other call has."""
    return {"id": str(uuid.uuid4()), "time": datetime.now(UTC).isoformat()}


def get_or_create_identity(key: str, *, caller: Caller | None, body: object, context: LambdaContext) -> CallIdentity:
    """Return the identity that is stored for the caller's key, or store a new one for 60 days.

    A body is the same if it has the same canonical form. Raises :class:`InvalidKey`, also if the caller is not known,
    :class:`KeyConflict`, :class:`KeyStoreUnavailable`, and ``RecursionError`` for a body that is nested too deep.
    """
    if not 1 <= len(key) <= MAX_KEY_LENGTH or not key.isprintable():
        raise InvalidKey(f"Idempotency-Key: It must have 1 to {MAX_KEY_LENGTH} printable characters.")
    if caller is None:
        raise InvalidKey(
            "Idempotency-Key: The API's authorizer does not tell who calls, and callers must not share keys. Omit the "
            "header, and give each usage a uniqueId and meterTimeInMillis instead."
        )
    from aws_lambda_powertools.utilities.idempotency.exceptions import (  # noqa: PLC0415 - 60 ms, for calls with a key only
        IdempotencyAlreadyInProgressError,
        IdempotencyInconsistentStateError,
        IdempotencyPersistenceLayerError,
        IdempotencyValidationError,
    )

    for _ in range(_MAX_ATTEMPTS):
        try:
            return _identity_store()(call={"key": [caller, key], "body": normalize_json(body)}, context=context)
        except (IdempotencyAlreadyInProgressError, IdempotencyInconsistentStateError):
            # The same call at the same time; it stores its identity within milliseconds.
            time.sleep(_WAIT_SECONDS)
        except IdempotencyValidationError:
            raise KeyConflict(
                "This Idempotency-Key was used with another body. Use a new key for a new call."
            ) from None
        except IdempotencyPersistenceLayerError as error:
            raise KeyStoreUnavailable(
                f"The Idempotency-Key could not be read ({type(error.__cause__).__name__}); nothing was counted."
            ) from error
    raise KeyStoreUnavailable("Another call with this Idempotency-Key is in progress; nothing was counted.")


def _create_identity(*, call: dict[str, Any]) -> CallIdentity:  # noqa: ARG001 - Powertools reads the key from it
    return create_identity()


@cache
def _identity_store() -> Callable[..., CallIdentity]:
    # Imported on first use: the import takes as long as all others together, and only calls with a key need it.
    from aws_lambda_powertools.utilities.idempotency import (  # noqa: PLC0415 - as above
        DynamoDBPersistenceLayer,
        IdempotencyConfig,
        idempotent_function,
    )
    from botocore.config import Config  # noqa: PLC0415 - loads with boto3, see core/aws.py

    config = IdempotencyConfig(
        event_key_jmespath="key",
        payload_validation_jmespath="body",
        raise_on_no_idempotency_key=True,
        expires_after_seconds=KEY_LIFETIME_SECONDS,
        hash_function="sha256",
    )
    table = DynamoDBPersistenceLayer(
        table_name=os.environ["IDEMPOTENCY_TABLE_NAME"], boto_config=Config(connect_timeout=1, read_timeout=2)
    )

    call_once: Callable[..., CallIdentity] = idempotent_function(
        _create_identity, data_keyword_argument="call", persistence_store=table, config=config, key_prefix="ingest"
    )

    def get_or_create(*, call: dict[str, Any], context: LambdaContext) -> CallIdentity:
        # Without it, the key would stay in progress for 60 days if the process ends here.
        config.register_lambda_context(context)
        return call_once(call=call)

    return get_or_create
