"""What runs and where, and what is needed to talk to it: ``status``, ``env``, ``token``, ``logs``."""

import json
import shlex
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.table import Table

from amberflo_workflows.cli.shared import (
    Json,
    console,
    fail,
    get_deployment,
    reported_errors,
    require_local_system,
    say,
)
from amberflo_workflows.local.home import home
from amberflo_workflows.local.system import System
from amberflo_workflows.operate.deployment import AwsDeployment, Deployment


class TokenScope(StrEnum):
    """What a token is good for."""

    READ = "read"
    WRITE = "write"
    BOTH = "both"


def status(context: typer.Context, as_json: Json = False) -> None:
    """What runs, and where."""
    found = get_deployment(context)
    with reported_errors():
        facts = _own_facts(found) if isinstance(found, System) else {"stack": context.obj.stack}
        facts |= {
            "api": found.api_endpoint,
            "eventBus": found.outputs["EventBusName"],
            "stateMachines": found.state_machine_arns,
            "usageQueue": found.outputs["UsageQueueUrl"],
            "deadLetterQueue": found.outputs["UsageDeadLetterQueueUrl"],
            "tenantDeadLetterQueue": found.outputs["TenantDeadLetterQueueUrl"],
            "rejectedTable": found.outputs["RejectedTableName"],
        }
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    table = Table(show_header=False, box=None)
    table.add_column()
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, "\n".join(value) if isinstance(value, dict) else str(value))
    console.print(table)


def _own_facts(system: System) -> dict[str, Any]:
    from amberflo_workflows.local import console_process as process  # noqa: PLC0415 - imports requests

    shown = process.current(home())
    return {
        "console": shown.url if shown else None,
        "aws": system.emulator.url,
        "amberflo": system.amberflo_url,
        "sandbox": system.sandbox is not None,
        "home": str(home()),
    }


def env(context: typer.Context, as_json: Json = False) -> None:
    """Shell settings for curl and the AWS command line: eval "$(metering env)"."""
    found = get_deployment(context)
    with reported_errors():
        values = {
            "CONTROL_PLANE_API_ENDPOINT": found.api_endpoint,
            "ACCESS_TOKEN": found.access_token,
            "EVENT_BUS_NAME": found.outputs["EventBusName"],
            "STATE_MACHINE_ARNS": found.outputs["StateMachineArns"],
            **(_own_environment(found) if isinstance(found, System) else _chosen(context.obj)),
        }
    if as_json:
        print(json.dumps(values, indent=2))
        return
    for name, value in values.items():
        print(f"export {name}={shlex.quote(value)}")
    if isinstance(found, System):
        # What the user may have set for their own AWS would come before these.
        print("unset AWS_PROFILE AWS_SESSION_TOKEN")


def _own_environment(system: System) -> dict[str, str]:
    return {**system.emulator.environment, "AMBERFLO_SANDBOX_URL": system.amberflo_url if system.sandbox else ""}


def _chosen(found: AwsDeployment) -> dict[str, str]:
    given = {"AWS_PROFILE": found.profile, "AWS_REGION": found.region}
    return {name: value for name, value in given.items() if value}


def token(
    context: typer.Context,
    scope: Annotated[TokenScope, typer.Option(help="What it is good for.")] = TokenScope.BOTH,
    expired: Annotated[bool, typer.Option("--expired", help="One that has run out, to see it refused.")] = False,
    as_json: Json = False,
) -> None:
    """A bearer token for the API, good for an hour."""
    if isinstance(context.obj, AwsDeployment):
        if expired or scope is not TokenScope.BOTH:
            raise fail("--scope and --expired are for trying things on the local system", 2)
        with reported_errors():
            given = context.obj.access_token
    else:
        given = _own_token(require_local_system(), scope, expired=expired)
    print(json.dumps({"token": given}) if as_json else given)


def _own_token(system: System, scope: TokenScope, *, expired: bool) -> str:
    from amberflo_workflows.local import tokens  # noqa: PLC0415 - few commands need it

    with reported_errors():
        given = tokens.access_token(system.emulator, system.outputs, tokens.SCOPES[scope.value])
        return tokens.expired(given, home() / "emulator", system.outputs["UserPoolId"]) if expired else given


def logs(
    context: typer.Context,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    minutes: Annotated[int, typer.Option(min=1, help="How far back.")] = 10,
) -> None:
    """What the Lambdas wrote, oldest first."""
    from amberflo_workflows.operate.lambda_logs import read_log_lines  # noqa: PLC0415 - imports boto3

    found: Deployment = get_deployment(context)
    with reported_errors():
        for line in read_log_lines(found, minutes=minutes, follow=follow):
            say(line)
