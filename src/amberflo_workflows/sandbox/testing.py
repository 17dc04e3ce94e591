"""Run a sandbox inside the current process, for tests."""

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
    """Serve a sandbox on a free port until the ``with`` block ends."""
    sandbox = Sandbox(Store(data), {api_key}, settings or SandboxSettings())
    # asyncio turns off Nagle's delay, 40 ms per call, only for a socket whose protocol is TCP.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(sandbox.build_app(), log_level="warning", http="h11"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield SandboxClient(f"http://127.0.0.1:{listener.getsockname()[1]}")
        finally:
            # Otherwise a client's open connection would delay the end until its keep-alive timeout.
            server.force_exit = True
            server.should_exit = True
            thread.join()
            # A forced exit skips the application's own shutdown, which closes the store.
            sandbox.store.close()
