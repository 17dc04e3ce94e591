"""Run the console."""

from pathlib import Path

import uvicorn

from amberflo_workflows.local.console.app import application
from amberflo_workflows.local.deployment import Deployment
from amberflo_workflows.local.processes import LOOPBACK


def serve(deployment: Deployment, port: int, packages: Path) -> None:
    """Serve until told to end; ``packages`` is the folder with the front-end packages."""
    app = application(deployment, packages, port)
    # Pages that follow something hold their connections open.
    uvicorn.run(app, host=LOOPBACK, port=port, log_level="warning", timeout_graceful_shutdown=1, server_header=False)
