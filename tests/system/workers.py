"""The processes of Lambdas at work, to be killed by their ids."""

import contextlib
import os
import signal

import psutil

from amberflo_workflows.local.system import System


def workers(system: System, handler: str) -> list[int]:
    """Ids of the processes that run a handler."""
    found = []
    for process in psutil.Process(system.emulator.server.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if handler in process.cmdline():
                found.append(process.pid)
    return found


def kill_workers(system: System, handler: str) -> int:
    """End them all at once, as a machine that breaks down would; how many."""
    pids = workers(system, handler)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(pids)
