"""Call ``metering`` as an operator does, on the deployed stack of a running system."""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amberflo_workflows.local.system import STACK, System
from tests.cli.forked import CommandResult, run_forked


@dataclass(frozen=True)
class Metering:
    """The command line with ``--stack``, where the emulator stands in for AWS."""

    system: System
    home: Path

    def __call__(self, *arguments: str) -> CommandResult:
        return run_forked(self.arguments(*arguments), self.environment)

    def json(self, *arguments: str) -> Any:
        done = self(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def run_with_input(self, text: str, *arguments: str, **environment: str) -> CommandResult:
        """Run a command with a text on its standard input, and more variables in the environment."""
        return run_forked(self.arguments(*arguments), {**self.environment, **environment}, text)

    def command(self, *arguments: str) -> list[str]:
        """The command for a test that starts the process itself."""
        return [sys.executable, "-m", "amberflo_workflows.cli.main", *self.arguments(*arguments)]

    def arguments(self, *arguments: str) -> list[str]:
        return ["--stack", STACK, *arguments]

    @property
    def environment(self) -> dict[str, str]:
        # Packages of the console are in a cache below the home directory.
        user = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        variables = {**user, "COLUMNS": "200", "METERING_HOME": str(self.home)}
        # Set while coverage is measured, so that the command is measured as well.
        coverage = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
        return {**variables, **coverage, **self.system.emulator.environment}
