"""The meters of a deployment, for a command that checks names before anything is sent."""

import typer

from amberflo_workflows.cli.context import get_api_client, get_stack
from amberflo_workflows.core.meter_names import KnownMeters
from amberflo_workflows.local import system as systems
from amberflo_workflows.local.home import home
from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.errors import OperatorError

_NOT_CHECKED = "The names of the meters were not checked"


class MetersNotChecked(Exception):
    """The names cannot be checked, or need not be; the message says why."""


def find_deployment(context: typer.Context) -> Deployment | None:
    """Return the deployment that a command is for, ``None`` if nothing is running here."""
    return get_stack(context) or systems.find_running(home())


def fetch_known_meters(context: typer.Context) -> KnownMeters:
    """Fetch the meters of the deployment that the command is for. Raises :class:`MetersNotChecked`."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - slow to import, and most commands do without it

    try:
        deployment = find_deployment(context)
        if deployment is None:
            raise MetersNotChecked(f"{_NOT_CHECKED}: nothing is running here. Start it with: metering up")
        if deployment.outputs.get("ChecksMeterNames") == "false":
            raise MetersNotChecked(f"{_NOT_CHECKED}: the deployment accepts usage under any name.")
        return KnownMeters.from_meters(get_api_client(context).list_meters())
    except (OperatorError, BotoCoreError, ClientError) as error:
        raise MetersNotChecked(f"{_NOT_CHECKED}: {error}") from None
