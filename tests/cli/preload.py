"""Import what the commands of ``metering`` import: for the process from which :mod:`tests.cli.forked` forks them."""

import sys
from importlib import import_module

import boto3
import pydantic.type_adapter
import pydantic.types  # noqa: F401 - as above
import rich.table  # noqa: F401 - as above
import typer._adapters
import typer.rich_utils  # noqa: F401 - as above

from amberflo_workflows.cli.main import COMMANDS
from amberflo_workflows.operate import deployment  # noqa: F401 - as above
from tests.service_models import share_service_models

for command in COMMANDS.values():
    import_module(command.module)

share_service_models()
for service in ("cloudformation", "cognito-idp", "dynamodb", "events", "lambda", "logs", "s3", "sqs", "stepfunctions"):
    boto3.Session().client(service, region_name="us-east-1")


def forget_commands() -> None:
    """Let the commands' own modules be imported again, since they read the environment then."""
    for name in [name for name in sys.modules if name.startswith("amberflo_workflows.cli")]:
        del sys.modules[name]
