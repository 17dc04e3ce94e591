"""Where the local system keeps what it keeps, and what is running from there."""

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
    """``.metering`` in the current folder, or ``METERING_HOME``."""
    return Path(os.environ.get("METERING_HOME", ".metering")).absolute()


@dataclass(frozen=True)
class RunningState:
    """What a later command needs to know of a system that was started; it holds no Amberflo key.

    ``sandbox_pid`` is 0 and ``sandbox_url`` empty when the system talks to the real Amberflo.
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
    """Write a file for its owner's eyes, whole or not at all: the next start must not trip over half of one."""
    made = path.with_name(f"{path.name}.new")
    made.unlink(missing_ok=True)
    made.touch(mode=0o600)
    with made.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    made.replace(path)


@contextlib.contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Keep other commands from starting or stopping the same system. Raises :class:`OperatorError` if one is at it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OperatorError(
                f"Another command is starting or stopping the system in {folder}; wait for it."
            ) from None
        yield


def load_state(folder: Path) -> RunningState | None:
    """What was started from a folder, or ``None``; it may have died since."""
    try:
        return RunningState(**json.loads((folder / STATE_FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def save_state(folder: Path, running: RunningState) -> None:
    """Remember what was started."""
    write_atomically(folder / STATE_FILE, json.dumps(asdict(running), indent=2))


def delete_state(folder: Path) -> None:
    """Nothing runs from here any more."""
    (folder / STATE_FILE).unlink(missing_ok=True)
