"""The configuration of a task Lambda, from its environment variables (set in ``infra/``).

Each function reads the environment once per process and raises ``KeyError`` with the name of a missing variable.
"""

import os
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class SecretLocation:
    """The secret's name or ARN, and the field of its JSON that has the API key."""

    secret_id: str
    field: str


@dataclass(frozen=True)
class Endpoints:
    """The URLs of Amberflo's control API and of its ingest API, without a slash at the end."""

    base_url: str
    ingest_url: str


@cache
def secret_location() -> SecretLocation:
    """Return the location of the API key."""
    return SecretLocation(os.environ["AMBERFLO_API_KEY_SECRET_ID"], os.environ["AMBERFLO_API_KEY_FIELD"])


@cache
def endpoints() -> Endpoints:
    """Return the URLs of Amberflo."""
    return Endpoints(
        os.environ["AMBERFLO_BASE_URL"].rstrip("/"),
        os.environ["AMBERFLO_INGEST_URL"].rstrip("/"),
    )
