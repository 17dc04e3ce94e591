"""The emulator without its wait after each invocation, up to 50 ms for log lines, which AWS does not have.

The local system starts the emulator without the others. What the emulator computes stays as it is. Run as a module with
the name of the module that the emulator is otherwise started with.
"""

import contextlib
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from unittest import mock

from amberflo_workflows.local import emulator
from amberflo_workflows.local.processes import Server, spawn
from amberflo_workflows.local.system import System, running_system

_ROOT: Final = Path(__file__).parents[3]


@contextlib.contextmanager
def running_quick_system(folder: Path) -> Iterator[System]:
    """Run a local system whose emulator is this one until the end of the ``with`` block."""

    def spawn_quick(module: str, *arguments: str, environment: dict[str, str], **options: Any) -> Server:
        variables = {**environment, "PYTHONPATH": str(_ROOT)}
        return spawn(__name__, module, *arguments, environment=variables, **options)

    with mock.patch.object(emulator, "spawn", spawn_quick), running_system(folder, wait_scale=0) as system:
        yield system


def main(module: str) -> None:
    """Take the wait out, and run the module."""
    from ministack.core.lambda_runtime import Worker  # noqa: PLC0415 - reads its environment when it is imported

    # Set by this process alone, so that nobody else has to restore it.
    Worker._drain_stderr_bounded = lambda worker, **_: worker._drain_stderr()
    sys.argv = sys.argv[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1])
