"""Wait for a condition, and look at processes: those of a session, and the addresses that they listen on."""

import os
import time
from collections.abc import Callable

import psutil


def session_processes(session: int) -> list[int]:
    """Ids of the running processes of a session."""
    pids = []
    for process in psutil.process_iter(["pid", "status"]):
        try:
            if os.getsid(process.pid) == session and process.info["status"] != psutil.STATUS_ZOMBIE:
                pids.append(process.pid)
        except (psutil.Error, ProcessLookupError, PermissionError):
            continue
    return pids


def listening_addresses(pid: int) -> set[tuple[str, int]]:
    """Addresses and ports that a process listens on."""
    connections = psutil.Process(pid).net_connections(kind="inet")
    return {
        (connection.laddr.ip, connection.laddr.port)
        for connection in connections
        if connection.status == psutil.CONN_LISTEN
    }


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> bool:
    """Wait until ``condition`` is true. Returns false if it is not after ``seconds``, which a slow machine may need."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
