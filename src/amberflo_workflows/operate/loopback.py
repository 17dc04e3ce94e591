"""Calls to servers on this machine."""

from typing import Final

import requests

LOOPBACK: Final = "127.0.0.1"
# Ignores the proxy of the environment, which cannot reach servers on this machine.
LOOPBACK_SESSION: Final = requests.Session()
LOOPBACK_SESSION.trust_env = False
