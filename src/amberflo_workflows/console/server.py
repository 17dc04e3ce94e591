"""Run the console."""

import contextlib
import socket
from pathlib import Path

import uvicorn

from amberflo_workflows.console.app import create_app
from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.loopback import LOOPBACK


def listen(port: int) -> socket.socket:
    """Listen on a loopback port, or on a free one if ``port`` is 0. Raises ``OSError`` if it is in use."""
    return socket.create_server((LOOPBACK, port))


def serve(deployment: Deployment, listener: socket.socket, packages: Path) -> None:
    """Serve until the process is interrupted; ``packages`` is the folder with the front-end packages."""
    app = create_app(deployment, packages, listener.getsockname()[1])
    # Live pages keep their connections open, so do not wait long for them to close.
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1, server_header=False)
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])
