"""Talk to a sandbox that runs: its switches, for tests and the command line."""

from dataclasses import dataclass
from typing import Any

import requests

# For calls to this machine: no proxy, whatever the user's environment says.
_HTTP = requests.Session()
_HTTP.trust_env = False


@dataclass(frozen=True)
class SandboxClient:
    """A sandbox by its address."""

    url: str

    def set_faults(self, faults: list[dict[str, Any]]) -> None:
        """Replace the faults in force."""
        self._call("PUT", "faults", faults)

    def clear_faults(self) -> None:
        """Behave again."""
        self._call("DELETE", "faults")

    def faults(self) -> list[dict[str, Any]]:
        """The faults in force and how often each has struck."""
        found: list[dict[str, Any]] = self._call("GET", "faults")
        return found

    def set_keys(self, keys: list[str]) -> None:
        """Replace the keys that are taken."""
        self._call("PUT", "keys", {"keys": keys})

    def requests(self) -> dict[str, Any]:
        """What was asked of the sandbox: ``total``, ``records``, ``counts``, ``recent``."""
        found: dict[str, Any] = self._call("GET", "requests")
        return found

    def clear_requests(self) -> None:
        """Count from zero."""
        self._call("DELETE", "requests")

    def totals(self, meter_api_name: str) -> dict[str, float]:
        """What is counted of a meter, by customer."""
        found: dict[str, float] = self._call("GET", f"totals?meterApiName={meter_api_name}")
        return found

    def customers(self) -> dict[str, dict[str, Any]]:
        """All customers by their id, the hidden ones too."""
        found: dict[str, dict[str, Any]] = self._call("GET", "customers")
        return found

    def reset(self) -> None:
        """Empty everything."""
        self._call("POST", "reset")

    def _call(self, method: str, path: str, body: object = None) -> Any:
        response = _HTTP.request(method, f"{self.url}/_sandbox/{path}", json=body, timeout=30)
        if not response.ok:
            raise ValueError(f"the sandbox refused {method} {path}: {response.text}")
        return response.json()
