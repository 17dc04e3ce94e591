"""What a task Lambda is told by its environment (set in ``infra/``).

Each function reads the environment once per process and raises ``KeyError`` with the variable's name when the
deployment left one out.
"""

import os
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class SecretLocation:
    """The secret's name or ARN, and the field of its JSON that holds the API key."""

    secret_id: str
    field: str


@dataclass(frozen=True)
class Endpoints:
    """Amberflo's control API and its ingest host, without a slash at the end."""

    base_url: str
    ingest_url: str


@cache
def secret_location() -> SecretLocation:
    """Where the API key lies."""
    return SecretLocation(os.environ["AMBERFLO_API_KEY_SECRET_ID"], os.environ["AMBERFLO_API_KEY_FIELD"])


@cache
def endpoints() -> Endpoints:
    """Where Amberflo is."""
    return Endpoints(
        os.environ["AMBERFLO_BASE_URL"].rstrip("/"),
        os.environ["AMBERFLO_INGEST_URL"].rstrip("/"),
    )
