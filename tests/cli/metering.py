"""Call ``metering`` as an operator does, on the deployed stack of a running system."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amberflo_workflows.local.system import STACK, System


@dataclass(frozen=True)
class Metering:
    """The command line with ``--stack``, where the emulator stands in for AWS."""

    system: System
    home: Path

    def __call__(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*arguments), env=self.environment, capture_output=True, text=True, check=False
        )

    def json(self, *arguments: str) -> Any:
        done = self(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "amberflo_workflows.cli.main", "--stack", STACK, *arguments]

    @property
    def environment(self) -> dict[str, str]:
        variables = {"PATH": os.environ["PATH"], "COLUMNS": "200", "METERING_HOME": str(self.home)}
        # Set while coverage is measured, so that the command is measured as well.
        coverage = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
        return {**variables, **coverage, **self.system.emulator.environment}
