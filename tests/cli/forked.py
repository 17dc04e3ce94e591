"""Run ``metering`` in a process that is forked from one with its libraries, which take half a second to import."""

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cache
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Final, TypeAlias

CommandResult: TypeAlias = subprocess.CompletedProcess[str]

_PRELOADED: Final = "tests.cli.preload"
# Longer than any command of a test takes, also on a busy machine.
_MAX_SECONDS: Final = 300


def run_forked(arguments: Sequence[str], environment: Mapping[str, str], text: str = "") -> CommandResult:
    """Run a command with an environment and a text on its standard input, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("stdin", "stdout", "stderr")]
        paths[0].write_text(text)
        process = _context().Process(target=_run, args=(list(arguments), dict(environment), paths))
        process.start()
        process.join(_MAX_SECONDS)
        code = process.exitcode
        process.kill()
        process.join()
        process.close()
        stdout, stderr = (path.read_text() for path in paths[1:])
    assert code is not None, f"{arguments} did not end. It printed: {stdout}{stderr}"
    return subprocess.CompletedProcess(list(arguments), code, stdout, stderr)


@cache
def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([_PRELOADED])
    return context


def _run(arguments: list[str], environment: dict[str, str], paths: list[Path]) -> None:
    """Become the command: its environment, its standard streams, and its exit code."""
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["metering", *arguments]
    for descriptor, path in enumerate(paths):
        file = os.open(path, os.O_RDONLY if descriptor == 0 else os.O_WRONLY | os.O_CREAT)
        os.dup2(file, descriptor)
        os.close(file)
    # Python reads TZ and PYTHONIOENCODING when it starts. Without the latter the streams are as in the C locale, which
    # commands of tests have: what is no text goes out as it came in.
    time.tzset()
    encoding, _, errors = environment.get("PYTHONIOENCODING", "utf-8:surrogateescape").partition(":")
    sys.stdin = open(0, encoding=encoding, closefd=False)  # noqa: SIM115 - until the process ends
    sys.stdout, sys.stderr = (
        open(descriptor, "w", encoding=encoding, errors=errors or "strict", closefd=False)  # noqa: SIM115 - as above
        for descriptor, errors in ((1, errors), (2, "backslashreplace"))
    )
    from tests.cli.preload import forget_commands  # noqa: PLC0415 - only this process needs what it imports

    forget_commands()
    from amberflo_workflows.cli.main import app  # noqa: PLC0415 - reads the environment

    app()
