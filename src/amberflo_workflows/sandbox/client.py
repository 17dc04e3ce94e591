"""Client of a running sandbox's control routes, for tests and the command line."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import requests


@cache
def _session() -> "requests.Session":
    """Return a session whose calls to this machine never go through the user's proxy."""
    import requests  # noqa: PLC0415 - slow to import, and not always needed

    session = requests.Session()
    session.trust_env = False
    # The server closes an idle connection after some seconds, perhaps while the next request is on its way.
    session.headers["Connection"] = "close"
    return session


@dataclass(frozen=True)
class SandboxClient:
    """A running sandbox at ``url``."""

    url: str

    def set_faults(self, faults: list[dict[str, Any]]) -> None:
        """Replace all active faults."""
        self._call("PUT", "faults", faults)

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._call("DELETE", "faults")

    def faults(self) -> list[dict[str, Any]]:
        """The active faults; ``struck`` counts the calls that each one affected."""
        faults: list[dict[str, Any]] = self._call("GET", "faults")
        return faults

    def set_keys(self, keys: list[str]) -> None:
        """Replace the accepted API keys."""
        self._call("PUT", "keys", {"keys": keys})

    def requests(self) -> dict[str, Any]:
        """The calls so far: ``total``, ``records``, ``counts``, ``recent``."""
        calls: dict[str, Any] = self._call("GET", "requests")
        return calls

    def count_calls(self, path: str) -> int:
        """The number of calls so far of a path as in ``counts``, with any method and status."""
        return sum(int(call["count"]) for call in self.requests()["counts"] if call["path"] == path)

    def clear_requests(self) -> None:
        """Reset the counts of calls and records to zero."""
        self._call("DELETE", "requests")

    def create_meters(self, *meter_api_names: str) -> None:
        """Create a meter, a sum of all usage, for each name that has none. No call is counted."""
        self._call("POST", "meters", list(meter_api_names))

    def records(self) -> list[dict[str, Any]]:
        """Every distinct record that was received, in the form of ``add_records``. No call is counted."""
        records: list[dict[str, Any]] = self._call("GET", "records")
        return records

    def add_records(self, *records: dict[str, Any]) -> None:
        """Add records as if another client had sent them. No call is counted."""
        self._call("POST", "records", list(records))

    def delete_records(
        self,
        *,
        meter_api_name: str | None = None,
        customer_id: str | None = None,
        unique_ids: Sequence[str] | None = None,
    ) -> int:
        """Delete the records of a meter, of a customer and with some ids, or of any, as if Amberflo had lost them.

        Returns their number, duplicates and cancellations included. A record that is sent later counts again.
        """
        selection = {"meterApiName": meter_api_name, "customerId": customer_id, "uniqueIds": unique_ids}
        return int(self._call("POST", "records/delete", selection)["deleted"])

    def totals(self, meter_api_name: str) -> dict[str, float]:
        """The sum of a meter's usage by customer id."""
        totals: dict[str, float] = self._call("GET", f"totals?meterApiName={meter_api_name}")
        return totals

    def customers(self) -> dict[str, dict[str, Any]]:
        """All customers by id, including hidden ones."""
        customers: dict[str, dict[str, Any]] = self._call("GET", "customers")
        return customers

    def reset(self, *meter_api_names: str) -> None:
        """Delete all data, reset the counts, and create meters as :meth:`create_meters` does; faults and keys stay."""
        self._call("POST", "reset", list(meter_api_names))

    def _call(self, method: str, path: str, body: object = None) -> Any:
        response = _session().request(method, f"{self.url}/_sandbox/{path}", json=body, timeout=30)
        if not response.ok:
            raise ValueError(f"the sandbox rejected {method} {path}: {response.text}")
        return response.json()
