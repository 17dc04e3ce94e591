"""Calls to servers on this machine."""

from typing import Final

import requests

LOOPBACK: Final = "127.0.0.1"
# Without the proxy of the user's environment, which cannot reach this machine's servers.
LOOPBACK_SESSION: Final = requests.Session()
LOOPBACK_SESSION.trust_env = False
