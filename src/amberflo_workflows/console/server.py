"""Run the console."""

from pathlib import Path

import uvicorn

from amberflo_workflows.console.app import create_app
from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.loopback import LOOPBACK


def serve(deployment: Deployment, port: int, packages: Path) -> None:
    """Serve until the process is interrupted; ``packages`` is the folder with the front-end packages."""
    app = create_app(deployment, packages, port)
    # Live pages keep their connections open, so do not wait long for them to close.
    uvicorn.run(app, host=LOOPBACK, port=port, log_level="warning", timeout_graceful_shutdown=1, server_header=False)
