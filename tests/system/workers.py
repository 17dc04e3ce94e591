"""The processes of Lambdas at work: their memory, and their end by their ids."""

import contextlib
import os
import signal
from collections.abc import Iterator

import psutil

from amberflo_workflows.local.system import System


def processes(system: System) -> Iterator[tuple[str, psutil.Process]]:
    """Each process under the emulator by its handler's name, and ``emulator``, ``sandbox`` themselves."""
    emulator = psutil.Process(system.emulator.server.pid)
    for process in [emulator, *emulator.children(recursive=True)]:
        with contextlib.suppress(psutil.Error):
            last = process.cmdline()[-1]
            is_worker = last.endswith(".handler")
            yield (
                last.removeprefix("amberflo_workflows.").removesuffix(".handler") if is_worker else "emulator",
                process,
            )
    if system.sandbox_server:
        yield "sandbox", psutil.Process(system.sandbox_server.pid)


def memory(system: System) -> dict[str, list[int]]:
    """Bytes in memory of each process, by the same names."""
    sizes: dict[str, list[int]] = {}
    for name, process in processes(system):
        with contextlib.suppress(psutil.Error):
            sizes.setdefault(name, []).append(process.memory_info().rss)
    return sizes


def cpu_seconds(system: System) -> dict[str, float]:
    """Seconds of processor time that the processes of a name have had, those of now together."""
    seconds: dict[str, float] = {}
    for name, process in processes(system):
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            seconds[name] = seconds.get(name, 0.0) + times.user + times.system
    return seconds


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
