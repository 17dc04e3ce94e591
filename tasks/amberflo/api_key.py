"""The API key: read from Secrets Manager, cached in this process by secret version.

The execution history keeps each state's output, so a key never leaves the process that read it. States pass on the
*version* of the secret, and each step looks up the key of that version here. Powertools' parameter cache does not
return the version, so this module has its own.
"""

import json
import random
import time
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from amberflo_workflows.core.aws_call import AwsApi, AwsError
from amberflo_workflows.core.connections import NoResponse
from amberflo_workflows.core.observability import logger
from amberflo_workflows.tasks.amberflo.config import secret_location
from amberflo_workflows.tasks.amberflo.errors import AmberfloUnauthorized, ApiKeyUnavailable

# How long a warm process uses a version before it asks for a newer one. A rotation is noticed earlier if Amberflo
# rejects the old key.
CURRENT_VERSION_SECONDS: Final = 300.0
# During an outage of Secrets Manager the known version is used for this long before the next call.
_OUTAGE_SECONDS: Final = 30.0
_THROTTLING: Final = frozenset({"ThrottlingException", "TooManyRequestsException"})
# Two attempts that time out, with this time between them, end before the state's 5 s.
_RETRY_SECONDS: Final = 1.0
SECRETS_MANAGER: Final = AwsApi(
    service="secretsmanager",
    signing_name="secretsmanager",
    host="secretsmanager",
    endpoint_variable="AWS_ENDPOINT_URL_SECRETS_MANAGER",
    target="secretsmanager",
    json_version="1.1",
    connect_seconds=1,
    read_seconds=1,
)
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
        version_id = str(response["VersionId"])
        key = _parse_key(response.get("SecretString"), self.secret_id, self.secret_field)
        while len(self._by_version) >= _MAX_VERSIONS:
            del self._by_version[next(iter(self._by_version))]
        self._by_version[version_id] = key
        logger.info("secret read", extra={"version_id": version_id})
        return version_id


@cache
def api_keys() -> ApiKeys:
    """Return the keys of this process."""
    location = secret_location()
    return ApiKeys(location.secret_id, location.field)


def _get_secret_value(secret_id: str, version_id: str | None) -> dict[str, Any]:
    version = {"VersionId": version_id} if version_id else {}
    try:
        return _call_twice({"SecretId": secret_id, **version})
    except AwsError as error:
        if version_id and error.code == "ResourceNotFoundException":
            # Secrets Manager keeps two versions, so the secret was rotated twice since the workflow resolved this one.
            raise AmberfloUnauthorized(
                "The version of the API key's secret no longer exists: it was rotated."
            ) from None
        raise ApiKeyUnavailable(_describe_error(error.code, secret_id), is_outage=_is_outage(error)) from None
    except NoResponse as error:
        raise ApiKeyUnavailable(
            f"Secrets Manager could not be reached for the secret '{secret_id}' ({error.reason}).", is_outage=True
        ) from None


def _call_twice(parameters: dict[str, str]) -> dict[str, Any]:
    """Read the secret, again after a moment if Secrets Manager is throttling, failing or slow."""
    try:
        return SECRETS_MANAGER.call("GetSecretValue", parameters, repeatable=True)
    except AwsError as error:
        if not _is_outage(error):
            raise
    except NoResponse as error:
        # After a lost connection, the call itself has made a second attempt.
        if not error.timed_out:
            raise
    time.sleep(random.uniform(0, _RETRY_SECONDS))  # noqa: S311 - jitter, not a secret
    return SECRETS_MANAGER.call("GetSecretValue", parameters, repeatable=False)


def _is_outage(error: AwsError) -> bool:
    return error.status >= 500 or error.code in _THROTTLING


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
