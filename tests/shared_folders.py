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
    with (run / f"{name}.users").open("w") as users:
        with _locked(run / f"{name}.lock"):
            if not (folder / _COMPLETE).exists():
                _fill(folder, fill)
            # Never waits: the exclusive lock below is held only by whoever has the other lock.
            fcntl.flock(users, fcntl.LOCK_SH)
        yield folder
        with _locked(run / f"{name}.lock"):
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            shutil.rmtree(folder)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fill(folder: Path, fill: Callable[[Path], object]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    fill(folder)
    (folder / _COMPLETE).touch()
