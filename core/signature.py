"""AWS's Signature Version 4, for a ``POST`` to the path ``/`` of a service.

botocore has a signer, too. Its import takes 80 ms of processor time, which is most of what a call without boto3 saves;
``tests/core/test_signature.py`` compares the two. Source:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache, reduce
from typing import Final, NamedTuple

_ALGORITHM: Final = "AWS4-HMAC-SHA256"


class Credentials(NamedTuple):
    """The credentials of a role; ``session_token`` is ``None`` for those of a user."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None

    def __repr__(self) -> str:
        return f"Credentials({self.access_key_id})"


class Scope(NamedTuple):
    """What a signature is valid for: a region, and a service by its name in signatures."""

    region: str
    service: str


def sign(
    headers: Mapping[str, str], body: bytes, scope: Scope, credentials: Credentials, now: datetime
) -> dict[str, str]:
    """Return the headers with those of the signature. All of them are signed; ``Host`` has to be one of them."""
    time = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    signed = {**headers, "X-Amz-Date": time}
    if credentials.session_token is not None:
        signed["X-Amz-Security-Token"] = credentials.session_token
    canonical = sorted((name.lower(), " ".join(value.split())) for name, value in signed.items())
    names = ";".join(name for name, _ in canonical)
    lines = "".join(f"{name}:{value}\n" for name, value in canonical)
    request = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    credential_scope = (time[:8], scope.region, scope.service, "aws4_request")
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = f"{_ALGORITHM}\n{time}\n{'/'.join(credential_scope)}\n{digest}"
    key = _derive_key(credentials.secret_access_key, credential_scope)
    credential = "/".join((credentials.access_key_id, *credential_scope))
    signature = _hmac(key, text).hex()
    authorization = f"{_ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
    return {**signed, "Authorization": authorization}


@lru_cache(maxsize=4)
def _derive_key(secret_access_key: str, credential_scope: tuple[str, ...]) -> bytes:
    """Return the key of a day, which takes most of the time of a signature."""
    return reduce(_hmac, credential_scope, b"AWS4" + secret_access_key.encode())


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
