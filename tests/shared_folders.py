"""Results that the processes of a test run share: the first that needs one produces it, and the last deletes it."""

import fcntl
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_COMPLETE = "complete"


@contextmanager
def shared_folder(run: Path, name: str, fill: Callable[[Path], object]) -> Iterator[Path]:
    """Yield the folder ``name`` below ``run``, which ``fill`` has filled in this process or in another one.

    If ``fill`` raises an error, the next process tries again. A process that needs the folder after the last one has
    deleted it fills it again.
    """
    folder = run / name
    with (run / f"{name}.lock").open("w") as lock:
        # Whoever uses the folder has a shared lock; whoever fills or deletes it has an exclusive one.
        fcntl.flock(lock, fcntl.LOCK_SH)
        # The exchange of one lock for the other is not atomic: another process may fill or delete it in between.
        while not (folder / _COMPLETE).exists():
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / _COMPLETE).exists():
                _fill(folder, fill)
            fcntl.flock(lock, fcntl.LOCK_SH)
        yield folder
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        shutil.rmtree(folder)


def _fill(folder: Path, fill: Callable[[Path], object]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    fill(folder)
    (folder / _COMPLETE).touch()
