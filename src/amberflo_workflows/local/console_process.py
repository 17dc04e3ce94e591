"""The console of the local system as a process that stays, like the emulator and the sandbox."""

import contextlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import requests

from amberflo_workflows.console.packages import install_packages
from amberflo_workflows.local.processes import Server, find_free_port, is_port_free, read_last_lines, spawn
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.loopback import LOOPBACK, LOOPBACK_SESSION

DEFAULT_PORT: Final = 4577
_STATE_FILE: Final = "console.json"
_MAX_STARTUP_SECONDS: Final = 30.0


@dataclass(frozen=True)
class RunningConsole:
    """A console that was started, and its address."""

    pid: int
    started: float
    url: str

    @property
    def server(self) -> Server:
        """Its process."""
        return Server(self.pid, self.started)


def choose_port() -> int:
    """The usual one, else any that is free."""
    return DEFAULT_PORT if is_port_free(DEFAULT_PORT) else find_free_port()


def find_running(folder: Path) -> RunningConsole | None:
    """The console that was started from a folder and still runs."""
    try:
        found = RunningConsole(**json.loads((folder / _STATE_FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return found if found.server.is_alive else None


def start(folder: Path) -> str:
    """Start the console of the local system in ``folder``, unless it runs; gives its address.

    Raises :class:`OperatorError`.
    """
    found = find_running(folder)
    if found:
        return found.url
    packages, port = install_packages(), choose_port()
    try:
        server, url = _start(folder, packages, port)
    except OperatorError:
        if is_port_free(port):
            raise
        # Another console that was started at the same moment was faster.
        server, url = _start(folder, packages, find_free_port())
    state = folder / _STATE_FILE
    state.touch(mode=0o600)
    state.write_text(json.dumps({"pid": server.pid, "started": server.started, "url": url}))
    server.let_go()
    return url


def _start(folder: Path, packages: Path, port: int) -> tuple[Server, str]:
    log, url = folder / "console.log", f"http://{LOOPBACK}:{port}/"
    server = spawn(
        "amberflo_workflows.local.console_server",
        *(str(port), str(packages)),
        environment={"PATH": os.defpath, "LANG": "C.UTF-8", "METERING_HOME": str(folder)},
        folder=folder,
        log=log,
    )
    try:
        _wait_until_ready(url, port, server, log)
    except BaseException:
        server.end()
        raise
    return server, url


def stop(folder: Path) -> None:
    """End it, if it runs."""
    found = find_running(folder)
    if found:
        found.server.end()
    (folder / _STATE_FILE).unlink(missing_ok=True)


def _wait_until_ready(url: str, port: int, server: Server, log: Path) -> None:
    deadline = time.monotonic() + _MAX_STARTUP_SECONDS
    while time.monotonic() < deadline and server.is_alive:
        with contextlib.suppress(requests.RequestException):
            if server.listens(port) and LOOPBACK_SESSION.get(f"{url}static/icon.svg", timeout=2).ok:
                return
        time.sleep(0.05)
    raise OperatorError(f"The console did not start; the end of its log {log}:\n{read_last_lines(log)}")
