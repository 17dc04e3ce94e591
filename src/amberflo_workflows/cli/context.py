"""The deployment that a command works on, and how the errors of working on it are reported."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import typer

from amberflo_workflows.cli.output import fail
from amberflo_workflows.core.ledger.receipt import UnreadableObject
from amberflo_workflows.local import system as systems
from amberflo_workflows.local.home import home
from amberflo_workflows.local.system import System
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.loopback import loopback_session

if TYPE_CHECKING:
    # They import boto3 and requests, which many commands need not wait for.
    from amberflo_workflows.operate.api_client import ApiClient
    from amberflo_workflows.operate.deployment import AwsDeployment, Deployment

NOT_RUNNING_EXIT_CODE: Final = 3


@contextmanager
def reported_errors() -> Iterator[None]:
    """Report errors as one line and an exit code, not as a stack trace."""
    try:
        yield
    except (OperatorError, UnreadableObject) as error:
        raise fail(error) from None
    except Exception as error:
        # Only errors of AWS and of the connection to it. Importing botocore for its base class would slow each command.
        if not type(error).__module__.startswith("botocore"):
            raise
        raise fail(f"AWS: {error}") from None


def get_stack(context: typer.Context) -> "AwsDeployment | None":
    """The stack on AWS that ``metering --stack`` names."""
    stack: AwsDeployment | None = context.obj
    return stack


def require_local_system() -> System:
    """The local system. Ends the command if none is running."""
    system = systems.find_running(home())
    if system is None:
        reason = systems.describe_dead_part(home()) or f"nothing is running in {home()}"
        raise fail(f"{reason}; start it with: metering up", NOT_RUNNING_EXIT_CODE)
    return system


def get_deployment(context: typer.Context) -> "Deployment":
    """The stack on AWS that ``metering --stack`` names, else the local system."""
    return get_stack(context) or require_local_system()


def get_api_client(context: typer.Context) -> "ApiClient":
    """A client of the deployment's HTTP API, with a fresh token."""
    import requests  # noqa: PLC0415 - slow to import, and not always needed

    from amberflo_workflows.operate.api_client import ApiClient  # noqa: PLC0415 - as above

    stack = get_stack(context)
    if stack:
        return ApiClient(stack.api_endpoint, stack.access_token, requests.Session(), stack.command)
    system = require_local_system()
    return ApiClient(system.api_endpoint, system.access_token, loopback_session())


def get_command_prefix(context: typer.Context) -> str:
    """What a suggested command starts with, so that it is about the same deployment."""
    stack = get_stack(context)
    return stack.command if stack else "metering"
