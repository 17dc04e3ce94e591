"""Start and stop server processes: none of them outlives its system, and no other process is ever stopped."""

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
    """Return the path of this interpreter, with links: Python finds its virtual environment by the path."""
    return sys.executable


def is_port_free(port: int) -> bool:
    """Whether a server can listen on a loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def find_free_port() -> int:
    """Return a loopback port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class Server:
    """A server process, identified by its id and its start time in epoch seconds, since ids are reused.

    ``process`` is set only in the process that started it. When its standard input closes, the server ends.
    """

    pid: int
    started: float
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False, compare=False)

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        try:
            process = psutil.Process(self.pid)
            return abs(process.create_time() - self.started) < 1 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def listens_on(self, port: int) -> bool:
        """Whether this process, not another program, listens on a port."""
        with contextlib.suppress(psutil.Error):
            connections = psutil.Process(self.pid).net_connections(kind="tcp")
            return any(item.status == psutil.CONN_LISTEN and item.laddr.port == port for item in connections)
        return False

    def stop(self) -> bool:
        """Stop the process and its children: first with SIGTERM, so that it saves its state, then with SIGKILL.

        Returns false if it had to be killed or had ended before.
        """
        was_alive, deadline = self.is_alive, time.monotonic() + MAX_STOP_SECONDS
        if was_alive:
            os.kill(self.pid, signal.SIGTERM)
        while self.is_alive and time.monotonic() < deadline:
            # The emulator saves its state only after all running Lambdas have returned, which can take minutes.
            self._kill_session(except_pid=self.pid)
            time.sleep(0.05)
        is_clean = was_alive and not self.is_alive
        self.kill()
        return is_clean

    def kill(self) -> None:
        """Kill the process and its children; no state is saved."""
        self._kill_session()
        if self.process:
            self.process.wait()
            if self.process.stdin:
                self.process.stdin.close()

    def detach(self) -> None:
        """Let the process outlive its starter."""
        if self.process and self.process.stdin:
            self.process.stdin.write(b".")
            self.process.stdin.close()

    def _kill_session(self, except_pid: int = 0) -> None:
        for process in _session_processes(self.pid, self.started):
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.pid != except_pid:
                    process.kill()


def spawn(module: str, *arguments: str, environment: Mapping[str, str], folder: Path, log: Path) -> Server:
    """Start a Python module as the leader of a new session. It ends with this process, unless it is detached."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [python_path(), "-m", "amberflo_workflows.local.supervision", module, *arguments],
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Server(process.pid, psutil.Process(process.pid).create_time(), process)


def _session_processes(session: int, since: float) -> Iterator[psutil.Process]:
    """Yield the running processes of the session with an id and a start time.

    A session can outlive its leader. The system reuses its id only when the session is empty, so a session with this id
    can also be a newer one.
    """
    if _belongs_to_another_session(session, since):
        return
    for process in psutil.process_iter():
        # Outside of Linux, reading the session of another user's process is not allowed.
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
    """Return the last lines of a log, or an empty text if it cannot be read."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-count:])
    except OSError:
        return ""
