"""The configuration of a task Lambda, from its environment variables (set in ``infra/``).

Each function reads the environment once per process and raises ``KeyError`` with the name of a missing variable, except
for the one with a default.
"""

import os
from dataclasses import dataclass
from functools import cache
from typing import Final

# How long a process uses a list of the meters before it reads a newer one. Usage under a meter that was deleted is
# rejected after this time; a meter that was created is known at once.
METER_LIST_SECONDS: Final = 60.0


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


@cache
def checks_meter_names() -> bool:
    """Whether usage is rejected if there is no meter with its name: unless ``AMBERFLO_CHECK_METER_NAMES`` is false."""
    return os.environ.get("AMBERFLO_CHECK_METER_NAMES", "true") != "false"
