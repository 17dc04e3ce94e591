import json
import subprocess
import sys
from importlib import import_module

import pytest
import typer

from amberflo_workflows.cli.main import COMMANDS

# Slow to import: the help of `metering` needs none of them.
SLOW_MODULES = (
    "boto3",
    "botocore",
    "requests",
    "rich",
    "aws_cdk",
    "amberflo_workflows.local",
    "amberflo_workflows.operate",
)
IMPORTED = "import json, sys, typer.testing; from amberflo_workflows.cli.main import app; \
result = typer.testing.CliRunner().invoke(app, sys.argv[1:]); print(json.dumps([result.output, sorted(sys.modules)]))"


def _run(*arguments: str) -> tuple[str, set[str]]:
    """Return the output of a command, and the modules that it imported."""
    process = subprocess.run(
        [sys.executable, "-c", IMPORTED, *arguments], capture_output=True, text=True, check=True, env={"COLUMNS": "200"}
    )
    output, modules = json.loads(process.stdout)
    return output, set(modules)


def test_the_help_lists_all_commands_without_importing_them() -> None:
    output, modules = _run("--help")
    for name, command in COMMANDS.items():
        assert f" {name} " in output
        assert command.help in " ".join(output.split())
    assert modules.isdisjoint({*SLOW_MODULES, *(command.module for command in COMMANDS.values())})


@pytest.mark.parametrize("arguments", [("meters", "list"), ("status",), ("env",), ("token",)])
def test_a_command_imports_no_other_command_and_no_aws_sdk(arguments: tuple[str, ...]) -> None:
    output, modules = _run(*arguments, "--help")
    assert f" {' '.join(arguments)} [OPTIONS]" in output
    assert modules & {command.module for command in COMMANDS.values()} == {COMMANDS[arguments[0]].module}
    assert modules.isdisjoint({"boto3", "botocore", "aws_cdk", *(() if arguments == ("token",) else ("requests",))})


@pytest.mark.parametrize("name", COMMANDS)
def test_the_listed_help_is_the_first_line_of_the_help_of_the_command(name: str) -> None:
    command = typer.main.get_command(import_module(COMMANDS[name].module).app)
    assert (command.help or "").splitlines()[0] == COMMANDS[name].help
