"""The API key: read from Secrets Manager, kept in this process by secret version.

A state's output is kept in the execution's history, so a key never leaves the process that read it. What
travels between states is the *version* of the secret; each step looks the key of that version up here.
Powertools' parameter cache does not tell the version, hence this small one.
"""

import json
import time
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final

from amberflo_workflows.core import aws
from amberflo_workflows.core.observability import logger
from amberflo_workflows.tasks.amberflo.config import secret_location
from amberflo_workflows.tasks.amberflo.errors import AmberfloUnauthorized, ApiKeyUnavailable

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_secretsmanager.type_defs import GetSecretValueResponseTypeDef

# How long a warm process goes on with a version before it asks whether there is a newer one. A rotated key
# that Amberflo already refuses is noticed sooner, by the refusal.
CURRENT_VERSION_SECONDS: Final = 300.0
# While Secrets Manager gives nothing, the version that is known goes on; it is asked again after this.
_OUTAGE_SECONDS: Final = 30.0
_OUTAGES: Final = frozenset({"ThrottlingException", "TooManyRequestsException", "InternalServiceError"})
# Old versions are only met for the moments around a rotation.
_KEPT_VERSIONS: Final = 4


@dataclass
class ApiKeys:
    """The keys of one secret."""

    secret_id: str
    secret_field: str
    _by_version: dict[str, str] = field(default_factory=dict, repr=False)
    _current: str | None = None
    _current_until: float = 0.0

    def current_version(self, *, refresh: bool) -> str:
        """Version id of the key in force; ``refresh`` asks Secrets Manager even if one is at hand.

        During an outage of Secrets Manager a version that is known goes on. Raises :class:`ApiKeyUnavailable`.
        """
        if not refresh and self._current and time.monotonic() < self._current_until:
            return self._current
        try:
            self._current = self._read(None)
        except ApiKeyUnavailable as error:
            if refresh or self._current is None or not error.is_outage:
                raise
            logger.warning("secret not read", extra={"reason": str(error), "version_id": self._current})
            self._current_until = time.monotonic() + _OUTAGE_SECONDS
        else:
            self._current_until = time.monotonic() + CURRENT_VERSION_SECONDS
        return self._current

    def key(self, version_id: str) -> str:
        """The key of a version.

        Raises :class:`ApiKeyUnavailable`, and :class:`AmberfloUnauthorized` for a version that is gone.
        """
        if version_id not in self._by_version:
            self._read(version_id)
        return self._by_version[version_id]

    def _read(self, version_id: str | None) -> str:
        answer = _get_secret_value(self.secret_id, version_id)
        key = _key_in(answer.get("SecretString"), self.secret_id, self.secret_field)
        while len(self._by_version) >= _KEPT_VERSIONS:
            del self._by_version[next(iter(self._by_version))]
        self._by_version[answer["VersionId"]] = key
        logger.info("secret read", extra={"version_id": answer["VersionId"]})
        return answer["VersionId"]


@cache
def api_keys() -> ApiKeys:
    """The keys of this process."""
    location = secret_location()
    return ApiKeys(location.secret_id, location.field)


def _get_secret_value(secret_id: str, version_id: str | None) -> "GetSecretValueResponseTypeDef":
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see core.aws

    version = {"VersionId": version_id} if version_id else {}
    # With the second between them, two attempts that time out end before the state's 5 s.
    secrets: SecretsManagerClient = aws.client("secretsmanager", connect_seconds=1, read_seconds=1, attempts=2)
    try:
        return secrets.get_secret_value(SecretId=secret_id, **version)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "unknown error")
        if version_id and code == "ResourceNotFoundException":
            # Secrets Manager keeps two versions; whoever told us of this one did so before two rotations.
            raise AmberfloUnauthorized("The version of the secret with the API key is gone: it was rotated.") from None
        raise ApiKeyUnavailable(_reason(code, secret_id), is_outage=code in _OUTAGES) from None
    except BotoCoreError as error:
        raise ApiKeyUnavailable(
            f"Secrets Manager could not be reached for the secret '{secret_id}' ({type(error).__name__}).",
            is_outage=True,
        ) from None


def _reason(code: str, secret_id: str) -> str:
    if code == "ResourceNotFoundException":
        return f"The secret '{secret_id}' does not exist or has no value. Create it with the Amberflo API key in it."
    return f"Secrets Manager refused to give the secret '{secret_id}' ({code})."


def _key_in(text: str | None, secret_id: str, secret_field: str) -> str:
    if text is None:
        raise ApiKeyUnavailable(
            f"The secret '{secret_id}' is binary. It must be JSON text with '{secret_field}' in it."
        )
    if not text.strip():
        raise ApiKeyUnavailable(f"The secret '{secret_id}' is empty. It must be JSON with '{secret_field}' in it.")
    try:
        secret = json.loads(text)
    except ValueError:
        # The parser's own message would quote the secret.
        raise ApiKeyUnavailable(
            f"The secret '{secret_id}' is not JSON. It must be JSON with '{secret_field}' in it."
        ) from None
    key = secret.get(secret_field) if isinstance(secret, dict) else None
    if not isinstance(key, str) or not key.strip():
        raise ApiKeyUnavailable(f"The secret '{secret_id}' has no text in its field '{secret_field}'.")
    if not key.strip().isascii() or not key.strip().isprintable():
        raise ApiKeyUnavailable(f"The field '{secret_field}' of the secret '{secret_id}' cannot be an API key.")
    return key.strip()
