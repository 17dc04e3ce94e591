"""The processes of a running system, and its Lambda workers: their memory, their processor time, and killing them."""

import contextlib
import os
import signal
from collections.abc import Iterator

import psutil

from amberflo_workflows.local.system import System


def list_processes(system: System) -> Iterator[tuple[str, psutil.Process]]:
    """Each process with its name: a worker's handler without ``.handler``, ``emulator`` or ``sandbox``."""
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


def measure_memory(system: System) -> dict[str, list[int]]:
    """Resident bytes of each process, by process name."""
    sizes: dict[str, list[int]] = {}
    for name, process in list_processes(system):
        with contextlib.suppress(psutil.Error):
            sizes.setdefault(name, []).append(process.memory_info().rss)
    return sizes


def measure_cpu_seconds(system: System) -> dict[str, float]:
    """Processor time in seconds of the processes that are running now, by process name."""
    seconds: dict[str, float] = {}
    for name, process in list_processes(system):
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            seconds[name] = seconds.get(name, 0.0) + times.user + times.system
    return seconds


def measure_lambda_cpu_seconds(system: System) -> float:
    """Processor time in seconds of all Lambda workers that are running now."""
    return sum(seconds for name, seconds in measure_cpu_seconds(system).items() if name not in {"emulator", "sandbox"})


def list_worker_pids(system: System, handler: str) -> list[int]:
    """Ids of the processes that run ``handler``."""
    pids = []
    for process in psutil.Process(system.emulator.server.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if handler in process.cmdline():
                pids.append(process.pid)
    return pids


def kill_workers(system: System, handler: str) -> int:
    """Kill all workers of ``handler`` at once, as a machine failure would. Returns their number."""
    pids = list_worker_pids(system, handler)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(pids)
