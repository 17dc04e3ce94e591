"""Expired bearer tokens, to test that the API rejects them. Only they need ``cryptography``, a slow import."""

import base64
import json
import time
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from amberflo_workflows.operate.errors import OperatorError


def build_expired_token(token: str, emulator_folder: Path, pool: str) -> str:
    """Change the times of a token so that it has expired, and sign it with the key of its pool in the emulator.

    Raises :class:`OperatorError` if that key is not an RSA key.
    """
    header, claims, _ = token.split(".")
    expiry = int(time.time()) - 3600
    signing_input = f"{header}.{_encode_claims(_decode_claims(claims) | {'iat': expiry - 3600, 'exp': expiry})}"
    key_file = emulator_folder / "state" / "cognito-pool-keys" / f"{pool}-access.pem"
    key = load_pem_private_key(key_file.read_bytes(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise OperatorError(f"The key in {key_file} must be an RSA key. Stop the local system and start it again.")
    signature = key.sign(signing_input.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signing_input}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def _decode_claims(part: str) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def _encode_claims(claims: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
