"""A forked command is like one that is started: the other tests of commands rely on it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.forked import run_forked

METERING = str(Path(sys.executable).with_name("metering"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("status",),
        ("backfill", "--help"),
        ("status", "--nothing"),
        ("--region", "eu-west-1", "status"),
        ("backfill", os.fsdecode(b"caf\xe9.csv"), "--dry-run"),
    ],
    ids=str,
)
def test_output_and_exit_code_are_those_of_a_started_command(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    environment = {"PATH": os.environ["PATH"], "COLUMNS": "90", "METERING_HOME": str(tmp_path)}
    command = [METERING, *arguments]
    started = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    forked = run_forked(arguments, environment)
    expected = (started.returncode, started.stdout, started.stderr)
    assert (forked.returncode, forked.stdout, forked.stderr) == expected


def test_a_command_leaves_nothing_for_the_next(tmp_path: Path) -> None:
    texts = []
    for number, columns in enumerate((60, 120)):
        environment = {"COLUMNS": str(columns), "METERING_HOME": str(tmp_path / str(number))}
        command = [METERING, "backfill", "--help"]
        started = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        texts.append(run_forked(command[1:], environment).stdout)
        assert texts[-1] == started.stdout
    assert texts[0] != texts[1]
