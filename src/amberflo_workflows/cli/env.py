"""``metering env``."""

import json
import shlex
import sysconfig
from typing import TYPE_CHECKING

import typer

from amberflo_workflows.cli.context import get_stack, reported_errors, require_local_system
from amberflo_workflows.cli.options import Json
from amberflo_workflows.local.home import home
from amberflo_workflows.local.system import System

if TYPE_CHECKING:
    from amberflo_workflows.operate.deployment import AwsDeployment

app = typer.Typer(add_completion=False)


@app.command()
def env(context: typer.Context, as_json: Json = False) -> None:
    """Print shell settings for curl and the AWS CLI: eval "$(metering env)"."""
    stack = get_stack(context)
    deployment = stack or require_local_system()
    with reported_errors():
        values = {
            "CONTROL_PLANE_API_ENDPOINT": deployment.api_endpoint,
            "ACCESS_TOKEN": deployment.access_token,
            "EVENT_BUS_NAME": deployment.outputs["EventBusName"],
            "STATE_MACHINE_ARNS": deployment.outputs["StateMachineArns"],
            **(_local_settings(deployment) if isinstance(deployment, System) else _aws_settings(deployment)),
        }
    if as_json:
        print(json.dumps(values, indent=2))
        return
    for name, value in values.items():
        print(f"export {name}={shlex.quote(value)}")
    print(f'export PATH={shlex.quote(sysconfig.get_path("scripts"))}:"$PATH"')
    if not stack:
        # These settings of the user's own AWS would override the ones above.
        print("unset AWS_PROFILE AWS_SESSION_TOKEN")


def _local_settings(system: System) -> dict[str, str]:
    return {
        **system.emulator.environment,
        "AMBERFLO_SANDBOX_URL": system.amberflo_url if system.sandbox else "",
        # So that commands in another folder find the system.
        "METERING_HOME": str(home()),
    }


def _aws_settings(stack: "AwsDeployment") -> dict[str, str]:
    options = {"AWS_PROFILE": stack.profile, "AWS_REGION": stack.region}
    return {name: value for name, value in options.items() if value}
