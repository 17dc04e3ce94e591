"""Serve the console of the local system: ``python -m amberflo_workflows.local.console_server PORT PACKAGES``."""

import sys
from pathlib import Path

from amberflo_workflows.console.server import listen, serve
from amberflo_workflows.local import system
from amberflo_workflows.local.home import home
from amberflo_workflows.operate.errors import OperatorError

if __name__ == "__main__":
    local_system = system.find_running(home())
    if local_system is None:
        raise OperatorError("No local system is running here. Start it with: metering up")
    serve(local_system, listen(int(sys.argv[1])), Path(sys.argv[2]))
