"""The folder of the local system, its lock, and the state of the running system in it."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from amberflo_workflows.operate.errors import OperatorError

STATE_FILE: Final = "running.json"


def home() -> Path:
    """Return ``METERING_HOME``, or ``.metering`` in the current folder."""
    return Path(os.environ.get("METERING_HOME", ".metering")).absolute()


@dataclass(frozen=True)
class RunningState:
    """The processes, addresses and outputs of a running system, for later commands; without the Amberflo API key.

    ``…_started`` is the start time of a process in epoch seconds. ``sandbox_pid`` is 0 and ``sandbox_url`` is empty if
    the system calls the real Amberflo.
    """

    emulator_pid: int
    emulator_started: float
    emulator_url: str
    sandbox_pid: int
    sandbox_started: float
    sandbox_url: str
    amberflo_url: str
    outputs: dict[str, str]


def write_atomically(path: Path, text: str) -> None:
    """Write a file that only its owner can read, completely or not at all, even if this process is killed."""
    new_path = path.with_name(f"{path.name}.new")
    new_path.unlink(missing_ok=True)
    new_path.touch(mode=0o600)
    with new_path.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new_path.replace(path)


@contextlib.contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Keep other commands from starting or stopping the same system.

    Raises :class:`OperatorError` if another command holds the lock.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OperatorError(
                f"Another command is starting or stopping the system in {folder}. Wait until it has finished."
            ) from None
        yield


def load_state(folder: Path) -> RunningState | None:
    """Read the state of the system in a folder, or ``None``; its processes may have ended since."""
    try:
        return RunningState(**json.loads((folder / STATE_FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def save_state(folder: Path, state: RunningState) -> None:
    """Store the state of a running system."""
    write_atomically(folder / STATE_FILE, json.dumps(asdict(state), indent=2))


def delete_state(folder: Path) -> None:
    """Delete the state, when no system runs in the folder."""
    (folder / STATE_FILE).unlink(missing_ok=True)
