"""Call ``metering`` without ``--stack``, in the folder of a running system."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amberflo_workflows.local import home
from amberflo_workflows.local.system import System, _to_state
from tests.cli.metering import Metering
from tests.entrypoints.calls import Api


@dataclass(frozen=True)
class LocalMetering(Metering):
    """The command line on the local system."""

    @classmethod
    def of(cls, system: System, folder: Path) -> "LocalMetering":
        folder.mkdir()
        home.save_state(folder, _to_state(system))
        return cls(system, folder)

    def arguments(self, *arguments: str) -> list[str]:
        return [*arguments]


def create_meter(system: System, name: str, **fields: Any) -> dict[str, Any]:
    """Create a meter through the API."""
    body = {"label": name, "meterApiName": name, "meterType": "sum_of_all_usage", **fields}
    response = Api(system).call("POST", "meters", body)
    assert response.status == 201, response
    meter: dict[str, Any] = response.body["data"]
    return meter


def count_usages(system: System, usages: list[dict[str, Any]]) -> None:
    """Count usages through the API."""
    response = Api(system).call("POST", "ingest", {"records": usages})
    assert (response.status, response.body["data"]["rejected"]) == (200, []), response


def delete_meter(system: System, name: str) -> None:
    """Delete a meter through the API. Its usage stays in the ledger."""
    api = Api(system)
    (meter,) = (meter for meter in api.call("GET", "meters").body["data"] if meter["meterApiName"] == name)
    assert api.call("DELETE", f"meters/{meter['id']}").status == 200
