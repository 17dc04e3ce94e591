"""Call ``metering`` without ``--stack``, in a folder from which a system was started."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amberflo_workflows.local import home
from amberflo_workflows.local.system import System, _as_running
from tests.cli.metering import Metering
from tests.entrypoints.calls import Api


@dataclass(frozen=True)
class LocalMetering(Metering):
    """The command line on the local system."""

    @classmethod
    def of(cls, system: System, folder: Path) -> "LocalMetering":
        folder.mkdir()
        home.save(folder, _as_running(system))
        return cls(system, folder)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "amberflo_workflows.cli.main", *arguments]

    def typed(self, typed: str, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """With something typed, or piped in, and more in the environment."""
        given = {**self.environment, **environment}
        command = self.command(*arguments)
        return subprocess.run(command, input=typed, env=given, capture_output=True, text=True, check=False)


def make_meter(system: System, name: str, **fields: Any) -> dict[str, Any]:
    """A meter, made by the API."""
    body = {"label": name, "meterApiName": name, "meterType": "sum_of_all_usage", **fields}
    answer = Api(system).call("POST", "meters", body)
    assert answer.status == 201, answer
    meter: dict[str, Any] = answer.body["data"]
    return meter


def count(system: System, usages: list[dict[str, Any]]) -> None:
    """Have usages counted, by the API."""
    answer = Api(system).call("POST", "ingest", {"records": usages})
    assert (answer.status, answer.body["data"]["rejected"]) == (200, []), answer
