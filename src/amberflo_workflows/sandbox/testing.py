"""A sandbox inside this process, for tests."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from amberflo_workflows.sandbox.app import Sandbox
from amberflo_workflows.sandbox.client import SandboxClient
from amberflo_workflows.sandbox.settings import SandboxSettings
from amberflo_workflows.sandbox.store import Store


@contextlib.contextmanager
def running_sandbox(
    api_key: str, data: Path | None = None, settings: SandboxSettings | None = None
) -> Iterator[SandboxClient]:
    """Serve a sandbox on a free port for the length of the ``with`` block."""
    sandbox = Sandbox(Store(data), {api_key}, settings or SandboxSettings())
    # Only of a socket that says it is TCP does asyncio turn off Nagle's delay, 40 ms for each call.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(sandbox.app(), log_level="warning", http="h11"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield SandboxClient(f"http://127.0.0.1:{listening.getsockname()[1]}")
        finally:
            # An open connection of a client would otherwise hold the server for its keep-alive time.
            server.force_exit = True
            server.should_exit = True
            thread.join()
            # In that haste the application is not told that it ends.
            sandbox.store.close()
