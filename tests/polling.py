"""Wait for a condition, and list processes and their open ports."""

import os
import time
from collections.abc import Callable

import psutil


def session_processes(session: int) -> list[int]:
    """Return the ids of a session's running processes."""
    pids = []
    for process in psutil.process_iter(["pid", "status"]):
        try:
            if os.getsid(process.pid) == session and process.info["status"] != psutil.STATUS_ZOMBIE:
                pids.append(process.pid)
        except (psutil.Error, ProcessLookupError, PermissionError):
            continue
    return pids


def listening_addresses(pid: int) -> set[tuple[str, int]]:
    """Return the addresses and ports that a process listens on."""
    connections = psutil.Process(pid).net_connections(kind="inet")
    return {
        (connection.laddr.ip, connection.laddr.port)
        for connection in connections
        if connection.status == psutil.CONN_LISTEN
    }


def wait_until(condition: Callable[[], bool], seconds: float = 120) -> bool:
    """Poll a condition; whether it becomes true before the timeout, which is long enough for a busy machine."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
