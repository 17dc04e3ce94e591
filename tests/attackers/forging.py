"""Forged bearer tokens: copies of a valid token with one change each."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key


def load_pool_key(folder: Path, pool: str, use: str = "access") -> rsa.RSAPrivateKey:
    """The key that the emulator signs a user pool's tokens with.

    No attacker has it. With it a test can change one claim and leave the signature valid.
    """
    pem = folder / "emulator" / "state" / "cognito-pool-keys" / f"{pool}-{use}.pem"
    key = load_pem_private_key(pem.read_bytes(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


@dataclass(frozen=True)
class Token:
    """The header and the claims of a JWT. In changes, ``None`` removes a member."""

    header: dict[str, Any]
    claims: dict[str, Any]

    @staticmethod
    def parse(text: str) -> "Token":
        header, claims, _ = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in text.split("."))
        return Token(json.loads(header), json.loads(claims))

    def with_header(self, **changes: Any) -> "Token":
        return Token(_merge(self.header, changes), self.claims)

    def with_claims(self, **changes: Any) -> "Token":
        return Token(self.header, _merge(self.claims, changes))

    def signed(self, key: rsa.RSAPrivateKey) -> str:
        return f"{self._text}.{_encode(key.sign(self._text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    def signed_with_public_key(self, key: rsa.RSAPrivateKey) -> str:
        """Signed by HMAC with the public key: passes a verifier that trusts the token's ``alg``."""
        secret = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return f"{self._text}.{_encode(hmac.digest(secret, self._text.encode(), hashlib.sha256))}"

    def unsigned(self) -> str:
        return f"{self._text}."

    @property
    def _text(self) -> str:
        return f"{_encode(json.dumps(self.header).encode())}.{_encode(json.dumps(self.claims).encode())}"


def public_jwk(key: rsa.RSAPrivateKey) -> dict[str, str]:
    """The public key as a JWK, as a token's header may carry it."""
    numbers = key.public_key().public_numbers()
    return {"kty": "RSA", "n": _encode(numbers.n.to_bytes(256)), "e": _encode(numbers.e.to_bytes(3))}


def _merge(members: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**members, **changes}.items() if value is not None}


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
