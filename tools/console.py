"""Serve the console of a deployment in a thread, for tests and the screenshot."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette

from amberflo_workflows.console.app import create_app
from amberflo_workflows.console.packages import install_packages
from amberflo_workflows.local.processes import find_free_port
from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.executions.executions import Executions
from amberflo_workflows.operate.loopback import LOOPBACK


@contextmanager
def serve_console(deployment: Deployment, executions: Executions | None = None) -> Iterator[str]:
    """Serve the console of a deployment, optionally with other executions. Yields its URL, which ends in a slash."""
    port = find_free_port()
    app = create_app(deployment, install_packages(), port)
    if executions:
        app.state.console.executions = executions
    with serve_app(app, port) as url:
        yield url


@contextmanager
def serve_app(app: Starlette, port: int) -> Iterator[str]:
    """Serve a console that was created for this port."""
    config = uvicorn.Config(app, host=LOOPBACK, port=port, log_level="warning", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://{LOOPBACK}:{port}/"
    finally:
        server.should_exit = True
        thread.join()
