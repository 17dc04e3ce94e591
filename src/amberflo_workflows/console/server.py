"""Run the console."""

from pathlib import Path

import uvicorn

from amberflo_workflows.console.app import application
from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.loopback import LOOPBACK


def serve(deployment: Deployment, port: int, packages: Path) -> None:
    """Serve until told to end; ``packages`` is the folder with the front-end packages."""
    app = application(deployment, packages, port)
    # Pages that follow something hold their connections open.
    uvicorn.run(app, host=LOOPBACK, port=port, log_level="warning", timeout_graceful_shutdown=1, server_header=False)
