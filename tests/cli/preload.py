"""Import what the commands of ``metering`` import: for the process from which :mod:`tests.cli.forked` forks them."""

import sys
from importlib import import_module

import boto3  # noqa: F401 - imported by functions
import pydantic.type_adapter  # noqa: F401 - as above
import rich.table  # noqa: F401 - as above
import typer.rich_utils  # noqa: F401 - as above

from amberflo_workflows.cli.main import COMMANDS
from amberflo_workflows.operate import deployment  # noqa: F401 - as above

for command in COMMANDS.values():
    import_module(command.module)


def forget_commands() -> None:
    """Let the commands' own modules be imported again, since they read the environment then."""
    for name in [name for name in sys.modules if name.startswith("amberflo_workflows.cli")]:
        del sys.modules[name]
