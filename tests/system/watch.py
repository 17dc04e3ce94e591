"""Watch which processes a system has and how much memory they use."""

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

from amberflo_workflows.local.system import System
from tests.system.workers import list_processes, measure_memory


@dataclass
class ProcessWatch:
    """What the watcher saw: every process, and samples of the memory.

    A sample is a monotonic time in seconds and, for each process name, the resident bytes of its largest process.
    """

    samples: list[tuple[float, dict[str, int]]] = field(default_factory=list)
    processes: set[psutil.Process] = field(default_factory=set)

    def compare_thirds(self) -> dict[str, tuple[int, int]]:
        """For each process name, the largest bytes in the first and in the last third of the time."""
        start, end = self.samples[0][0], self.samples[-1][0]
        first = _max_sizes(sizes for timestamp, sizes in self.samples if timestamp <= start + (end - start) / 3)
        last = _max_sizes(sizes for timestamp, sizes in self.samples if timestamp >= end - (end - start) / 3)
        return {name: (first[name], last[name]) for name in sorted(first.keys() & last.keys())}

    def list_running(self) -> list[psutil.Process]:
        """The processes that are still running."""
        running = []
        for process in self.processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                    running.append(process)
        return running


@contextmanager
def watch_processes(system: System, interval_seconds: float) -> Iterator[ProcessWatch]:
    """Take a sample of the system's processes at every interval while the ``with`` block runs."""
    watch, stopped = ProcessWatch(), threading.Event()

    def take_samples() -> None:
        while not stopped.wait(interval_seconds):
            watch.processes.update(process for _, process in list_processes(system))
            sizes = {name: max(sizes) for name, sizes in measure_memory(system).items()}
            watch.samples.append((time.monotonic(), sizes))

    watcher = threading.Thread(target=take_samples)
    watcher.start()
    try:
        yield watch
    finally:
        stopped.set()
        watcher.join()


def _max_sizes(samples: Iterable[dict[str, int]]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for sample in samples:
        for name, size in sample.items():
            sizes[name] = max(sizes.get(name, 0), size)
    return sizes
