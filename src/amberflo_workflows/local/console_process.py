"""Start and stop the console of the local system as a background process."""

import contextlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from amberflo_workflows.console.packages import install_packages
from amberflo_workflows.local.processes import Server, find_free_port, is_port_free, read_last_lines, spawn
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.loopback import LOOPBACK, loopback_session

DEFAULT_PORT: Final = 4577
_STATE_FILE: Final = "console.json"
_MAX_STARTUP_SECONDS: Final = 30.0


@dataclass(frozen=True)
class RunningConsole:
    """The state of a running console."""

    pid: int
    started: float
    url: str

    @property
    def server(self) -> Server:
        """The console's process."""
        return Server(self.pid, self.started)


def choose_port() -> int:
    """Return the default port, or any free one if that is in use."""
    return DEFAULT_PORT if is_port_free(DEFAULT_PORT) else find_free_port()


def find_running(folder: Path) -> RunningConsole | None:
    """Return the running console of the system in a folder, or ``None``."""
    try:
        console = RunningConsole(**json.loads((folder / _STATE_FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return console if console.server.is_alive else None


def start(folder: Path) -> str:
    """Start the console of the local system in ``folder``, unless it runs, and return its address.

    Raises :class:`OperatorError`.
    """
    console = find_running(folder)
    if console:
        return console.url
    packages, port = install_packages(), choose_port()
    try:
        server, url = _start(folder, packages, port)
    except OperatorError:
        if is_port_free(port):
            raise
        # Another console took the port since it was chosen.
        server, url = _start(folder, packages, find_free_port())
    state = folder / _STATE_FILE
    state.touch(mode=0o600)
    state.write_text(json.dumps({"pid": server.pid, "started": server.started, "url": url}))
    server.detach()
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
        server.stop()
        raise
    return server, url


def stop(folder: Path) -> None:
    """Stop the console, if it runs."""
    console = find_running(folder)
    if console:
        console.server.stop()
    (folder / _STATE_FILE).unlink(missing_ok=True)


def _wait_until_ready(url: str, port: int, server: Server, log: Path) -> None:
    deadline = time.monotonic() + _MAX_STARTUP_SECONDS
    while time.monotonic() < deadline and server.is_alive:
        # The errors of requests are OSErrors.
        with contextlib.suppress(OSError):
            if server.listens_on(port) and loopback_session().get(f"{url}static/icon.svg", timeout=2).ok:
                return
        time.sleep(0.05)
    raise OperatorError(f"The console did not start. The end of its log {log}:\n{read_last_lines(log)}")
