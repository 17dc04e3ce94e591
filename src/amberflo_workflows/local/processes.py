"""Start and end processes so that none is left behind, and never end one that is not ours."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from amberflo_workflows.operate.loopback import LOOPBACK

MAX_STOP_SECONDS: Final = 10.0


def python_path() -> str:
    """The interpreter that runs us, links not resolved: a virtual environment is found by its name."""
    return sys.executable


def is_port_free(port: int) -> bool:
    """Whether a server could listen on a loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def find_free_port() -> int:
    """A loopback port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class Server:
    """A process that was started, by its id and its start: together they name it for good, since ids come again.

    ``process`` is there in the process that started it, and holds the pipe that both their lives hang on.
    """

    pid: int
    started: float
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False, compare=False)

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        try:
            found = psutil.Process(self.pid)
            return abs(found.create_time() - self.started) < 1 and found.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def listens(self, port: int) -> bool:
        """Whether it is this one that listens on a port: another program may have been faster there."""
        with contextlib.suppress(psutil.Error):
            found = psutil.Process(self.pid).net_connections(kind="tcp")
            return any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in found)
        return False

    def end(self) -> bool:
        """End it and what it started: kindly first, so that it saves its state, then for certain.

        False if it had to be killed, or was dead before.
        """
        was_alive, deadline = self.is_alive, time.monotonic() + MAX_STOP_SECONDS
        if was_alive:
            os.kill(self.pid, signal.SIGTERM)
        while self.is_alive and time.monotonic() < deadline:
            # The emulator saves nothing before the Lambdas at work have answered, which may take minutes.
            self._kill(spare=self.pid)
            time.sleep(0.05)
        ended = was_alive and not self.is_alive
        self.kill()
        return ended

    def kill(self) -> None:
        """End it and what it started as they are: nothing of what it has half done is saved."""
        self._kill()
        if self.process:
            self.process.wait()
            if self.process.stdin:
                self.process.stdin.close()

    def let_go(self) -> None:
        """From now on it outlives us."""
        if self.process and self.process.stdin:
            self.process.stdin.write(b".")
            self.process.stdin.close()

    def _kill(self, spare: int = 0) -> None:
        for process in _session_processes(self.pid, self.started):
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.pid != spare:
                    process.kill()


def spawn(module: str, *arguments: str, environment: Mapping[str, str], folder: Path, log: Path) -> Server:
    """Start a Python module as the leader of a session of its own; it ends when we do, however, unless let go."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            [python_path(), "-m", "amberflo_workflows.local.supervision", module, *arguments],
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Server(process.pid, psutil.Process(process.pid).create_time(), process)


def _session_processes(session: int, since: float) -> Iterator[psutil.Process]:
    """What lives of a session that was begun at a time. It may be there after its leader has died, and its id is not
    given away before it is empty; by then another may bear it.
    """
    if _belongs_to_another_session(session, since):
        return
    for process in psutil.process_iter():
        # Elsewhere than on Linux one may not ask for another user's.
        with contextlib.suppress(psutil.Error, ProcessLookupError, PermissionError):
            if os.getsid(process.pid) == session and process.create_time() >= since - 1:
                yield process


def _belongs_to_another_session(session: int, since: float) -> bool:
    if psutil.boot_time() > since + 1:
        return True
    with contextlib.suppress(psutil.NoSuchProcess):
        return abs(psutil.Process(session).create_time() - since) >= 1
    return False


def read_last_lines(log: Path, count: int = 5) -> str:
    """The end of a log, for a message."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-count:])
    except OSError:
        return ""
