"""Call ``metering`` as an operator does, on the deployed stack of a system that runs."""

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
    """The command line, told to look for the stack on AWS; that AWS is the emulator."""

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
        own = {"PATH": os.environ["PATH"], "COLUMNS": "200", "METERING_HOME": str(self.home)}
        return {**own, **self.system.emulator.environment}
