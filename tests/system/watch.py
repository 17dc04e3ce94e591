"""Watch what a system's processes are and how much memory they have, from beside."""

import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

from amberflo_workflows.local.system import System
from tests.system.workers import memory, processes


@dataclass
class Watched:
    """What was seen: the largest process of each name at a moment, and every process that ever was there."""

    largest: list[tuple[float, dict[str, int]]] = field(default_factory=list)
    processes: set[psutil.Process] = field(default_factory=set)

    def thirds(self) -> dict[str, tuple[int, int]]:
        """The largest that a process of a name was in the first and in the last third of the time, in bytes."""
        begin, end = self.largest[0][0], self.largest[-1][0]
        first = _largest(sizes for moment, sizes in self.largest if moment <= begin + (end - begin) / 3)
        last = _largest(sizes for moment, sizes in self.largest if moment >= end - (end - begin) / 3)
        return {name: (first[name], last[name]) for name in sorted(first.keys() & last.keys())}

    def living(self) -> list[psutil.Process]:
        """Those that are still there."""
        found = []
        for process in self.processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found


@contextmanager
def watching(system: System, every_seconds: float) -> Iterator[Watched]:
    """Look at the system's processes every so many seconds while the ``with`` block runs."""
    watched, ended = Watched(), threading.Event()

    def look() -> None:
        while not ended.wait(every_seconds):
            watched.processes.update(process for _, process in processes(system))
            watched.largest.append((time.monotonic(), {name: max(sizes) for name, sizes in memory(system).items()}))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield watched
    finally:
        ended.set()
        watcher.join()


def _largest(looks: Iterator[dict[str, int]]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for look in looks:
        for name, size in look.items():
            sizes[name] = max(sizes.get(name, 0), size)
    return sizes
