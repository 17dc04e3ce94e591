"""Call ``metering`` as an operator does, on the deployed stack of a system that runs."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from amberflo_workflows.local.system import STACK, System


@dataclass(frozen=True)
class Metering:
    """The command line, told to look for the stack on AWS; that AWS is the emulator."""

    system: System

    def __call__(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "amberflo_workflows.local.cli", "--stack", STACK, *arguments]
        environment = {"PATH": os.environ["PATH"], "COLUMNS": "200", **self.system.emulator.environment}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def json(self, *arguments: str) -> Any:
        done = self(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
