"""Calls to servers on this machine."""

from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import requests

LOOPBACK: Final = "127.0.0.1"


@cache
def loopback_session() -> "requests.Session":
    """Return a session that ignores the proxy of the environment, which cannot reach servers on this machine."""
    import requests  # noqa: PLC0415 - slow to import, and not always needed

    session = requests.Session()
    session.trust_env = False
    return session
