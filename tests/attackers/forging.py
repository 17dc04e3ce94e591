"""Bearer tokens as a forger would make them, in the likeness of a good one."""

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


def kept_key(folder: Path, pool: str, use: str = "access") -> rsa.RSAPrivateKey:
    """The key that the emulator signs a pool's tokens with. No forger has it; it lets a test change one thing alone."""
    pem = folder / "emulator" / "state" / "cognito-pool-keys" / f"{pool}-{use}.pem"
    key = load_pem_private_key(pem.read_bytes(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


@dataclass(frozen=True)
class Token:
    """A token taken apart; ``None`` takes a member away."""

    header: dict[str, Any]
    claims: dict[str, Any]

    @staticmethod
    def of(text: str) -> "Token":
        header, claims, _ = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in text.split("."))
        return Token(json.loads(header), json.loads(claims))

    def with_header(self, **changes: Any) -> "Token":
        return Token(_changed(self.header, changes), self.claims)

    def with_claims(self, **changes: Any) -> "Token":
        return Token(self.header, _changed(self.claims, changes))

    def signed(self, key: rsa.RSAPrivateKey) -> str:
        return f"{self._text}.{_encoded(key.sign(self._text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    def signed_with_the_public_key(self, key: rsa.RSAPrivateKey) -> str:
        """HMAC with what everybody can read, for a verifier that lets the token choose how it is verified."""
        secret = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return f"{self._text}.{_encoded(hmac.digest(secret, self._text.encode(), hashlib.sha256))}"

    def unsigned(self) -> str:
        return f"{self._text}."

    @property
    def _text(self) -> str:
        return f"{_encoded(json.dumps(self.header).encode())}.{_encoded(json.dumps(self.claims).encode())}"


def public_jwk(key: rsa.RSAPrivateKey) -> dict[str, str]:
    """The public half as a token's header may carry it."""
    numbers = key.public_key().public_numbers()
    return {"kty": "RSA", "n": _encoded(numbers.n.to_bytes(256)), "e": _encoded(numbers.e.to_bytes(3))}


def _changed(given: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**given, **changes}.items() if value is not None}


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
