"""The API key: read from Secrets Manager, cached in this process by secret version.

The execution history keeps each state's output, so a key never leaves the process that read it. States pass on the
*version* of the secret, and each step looks up the key of that version here. Powertools' parameter cache does not
return the version, so this module has its own.
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

# How long a warm process uses a version before it asks for a newer one. A rotation is noticed earlier if Amberflo
# rejects the old key.
CURRENT_VERSION_SECONDS: Final = 300.0
# During an outage of Secrets Manager the known version is used for this long before the next call.
_OUTAGE_SECONDS: Final = 30.0
_OUTAGES: Final = frozenset({"ThrottlingException", "TooManyRequestsException", "InternalServiceError"})
# Old versions are only needed for a short time after a rotation.
_MAX_VERSIONS: Final = 4


@dataclass
class ApiKeys:
    """The keys of one secret, by version."""

    secret_id: str
    secret_field: str
    _by_version: dict[str, str] = field(default_factory=dict, repr=False)
    _current: str | None = None
    _current_until: float = 0.0

    def current_version(self, *, refresh: bool) -> str:
        """Return the id of the current version; ``refresh`` calls Secrets Manager even if one is cached.

        During an outage of Secrets Manager a cached version is returned, unless ``refresh`` is set. Raises
        :class:`ApiKeyUnavailable`.
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
        """Return the key of a version.

        Raises :class:`ApiKeyUnavailable`, and :class:`AmberfloUnauthorized` if the version no longer exists.
        """
        if version_id not in self._by_version:
            self._read(version_id)
        return self._by_version[version_id]

    def _read(self, version_id: str | None) -> str:
        response = _get_secret_value(self.secret_id, version_id)
        key = _parse_key(response.get("SecretString"), self.secret_id, self.secret_field)
        while len(self._by_version) >= _MAX_VERSIONS:
            del self._by_version[next(iter(self._by_version))]
        self._by_version[response["VersionId"]] = key
        logger.info("secret read", extra={"version_id": response["VersionId"]})
        return response["VersionId"]


@cache
def api_keys() -> ApiKeys:
    """Return the keys of this process."""
    location = secret_location()
    return ApiKeys(location.secret_id, location.field)


def _get_secret_value(secret_id: str, version_id: str | None) -> "GetSecretValueResponseTypeDef":
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - loads with boto3, see core/aws.py

    version = {"VersionId": version_id} if version_id else {}
    # Two attempts that time out, with a second between them, end before the state's 5 s.
    secrets: SecretsManagerClient = aws.client("secretsmanager", connect_seconds=1, read_seconds=1, attempts=2)
    try:
        return secrets.get_secret_value(SecretId=secret_id, **version)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "unknown error")
        if version_id and code == "ResourceNotFoundException":
            # Secrets Manager keeps two versions, so the secret was rotated twice since the workflow resolved this one.
            raise AmberfloUnauthorized(
                "The version of the API key's secret no longer exists: it was rotated."
            ) from None
        raise ApiKeyUnavailable(_describe_error(code, secret_id), is_outage=code in _OUTAGES) from None
    except BotoCoreError as error:
        raise ApiKeyUnavailable(
            f"Secrets Manager could not be reached for the secret '{secret_id}' ({type(error).__name__}).",
            is_outage=True,
        ) from None


def _describe_error(code: str, secret_id: str) -> str:
    if code == "ResourceNotFoundException":
        return f"The secret '{secret_id}' does not exist or has no value. Create it with the Amberflo API key."
    return f"Secrets Manager did not return the secret '{secret_id}' ({code})."


def _parse_key(text: str | None, secret_id: str, secret_field: str) -> str:
    if text is None:
        raise ApiKeyUnavailable(
            f"The secret '{secret_id}' is binary. It must be JSON text with the field '{secret_field}'."
        )
    # Some editors begin a file with a byte order mark, and AWS's command line uploads it.
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise ApiKeyUnavailable(f"The secret '{secret_id}' is empty. It must be JSON with the field '{secret_field}'.")
    try:
        secret = json.loads(text)
    except ValueError:
        # The parser's own message would quote the secret.
        raise ApiKeyUnavailable(
            f"The secret '{secret_id}' is not JSON. It must be JSON with the field '{secret_field}'."
        ) from None
    key = secret.get(secret_field) if isinstance(secret, dict) else None
    if not isinstance(key, str) or not key.strip():
        raise ApiKeyUnavailable(f"The secret '{secret_id}' has no text in its field '{secret_field}'.")
    if not key.strip().isascii() or not key.strip().isprintable():
        raise ApiKeyUnavailable(
            f"The field '{secret_field}' of the secret '{secret_id}' is not an API key: it must be printable ASCII."
        )
    return key.strip()
