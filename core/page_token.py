"""The ``next_token`` of a list: where its next page starts, as text that callers pass on unchanged."""

import base64
import binascii
from typing import TypeVar

import msgspec

Value = TypeVar("Value")


def encode_token(value: object) -> str:
    """Return the token of a value."""
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).decode().rstrip("=")


def decode_token(token: str, type_: type[Value]) -> Value:
    """Return the value of a token. Raises ``msgspec.ValidationError`` if it has none of this type."""
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(text, type=type_)
    except (binascii.Error, ValueError):
        raise build_token_error() from None


def build_token_error() -> msgspec.ValidationError:
    """Return the error of a token that is not one of the list."""
    return msgspec.ValidationError("It is not a token of this list - at `$.next_token`")
