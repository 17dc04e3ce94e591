"""What the system shows of processes: who is left, and who listens where."""

import os
import time
from collections.abc import Callable

import psutil


def members(session: int) -> list[int]:
    """The processes of a session that live."""
    found = []
    for process in psutil.process_iter(["pid", "status"]):
        try:
            if os.getsid(process.pid) == session and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (psutil.Error, ProcessLookupError, PermissionError):
            continue
    return found


def listening(pid: int) -> set[tuple[str, int]]:
    """Addresses and ports that a process listens on."""
    connections = psutil.Process(pid).net_connections(kind="inet")
    return {(one.laddr.ip, one.laddr.port) for one in connections if one.status == psutil.CONN_LISTEN}


def soon(condition: Callable[[], bool], seconds: float = 15) -> bool:
    """Whether something comes true within a time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
