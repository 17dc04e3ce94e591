"""Start and end processes so that none is left behind, and never end one that is not ours."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import psutil

LOOPBACK: Final = "127.0.0.1"
ENDS_WITHIN_SECONDS: Final = 10.0


class LocalError(RuntimeError):
    """Something about the local system that a person can mend; the message is one line with the next step."""


def python() -> str:
    """The interpreter that runs us, links not resolved: a virtual environment is found by its name."""
    return sys.executable


def port_is_free(port: int) -> bool:
    """Whether a server could listen on a loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A loopback port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def spawn(
    command: Sequence[str], *, environment: Mapping[str, str], folder: Path, log: Path, guarded: bool
) -> "subprocess.Popen[bytes]":
    """Start a server as the leader of a process group of its own.

    ``guarded`` ties its life to ours, however we end; otherwise it goes on when we are gone.
    """
    if guarded:
        command = [python(), "-m", "amberflo_workflows.local.guard", *command]
    with log.open("ab") as out:
        return subprocess.Popen(
            list(command),
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.PIPE if guarded else subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def identity(pid: int) -> float:
    """When a process was started; with its id this names it for good, since ids are used again."""
    return psutil.Process(pid).create_time()


def is_alive(pid: int, started: float) -> bool:
    """Whether the process that had this id and start still runs."""
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - started) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def end(pid: int, started: float) -> None:
    """End a server and what it started: kindly first, so that it saves its state, then for certain."""
    if is_alive(pid, started):
        leader = psutil.Process(pid)
        leader.terminate()
        with contextlib.suppress(psutil.TimeoutExpired):
            leader.wait(ENDS_WITHIN_SECONDS)
    # Its session is ours even if it has died: the system does not give an id away that a session still bears.
    for process in _members(pid, started):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def _members(session: int, since: float) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getsid(process.pid) == session and process.create_time() >= since - 1:
                yield process


def last_lines(log: Path, count: int = 5) -> str:
    """The end of a log, for a message."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-count:])
    except OSError:
        return ""
