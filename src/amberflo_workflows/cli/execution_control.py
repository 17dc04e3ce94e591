"""``metering executions stop`` and ``redrive``."""

from collections.abc import Callable
from typing import Annotated

import typer

from amberflo_workflows.cli.context import get_command_prefix, get_deployment, reported_errors
from amberflo_workflows.cli.execution_result import print_json
from amberflo_workflows.cli.options import Json, Yes
from amberflo_workflows.cli.output import confirm, require_yes, say
from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.executions import control
from amberflo_workflows.operate.executions.executions import Executions
from amberflo_workflows.operate.executions.model import Status, parse_execution_name

StandardExecution = Annotated[
    str, typer.Argument(metavar="EXECUTION", help="The standard execution's ARN, name, or the beginning of its name.")
]


def stop_execution(
    context: typer.Context,
    *,
    name: StandardExecution,
    cause: Annotated[str, typer.Option(help="Why it is stopped; stored in the execution.")] = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Stop a standard execution that runs. What it has done so far stays."""
    require_yes(as_json=as_json, yes=yes)

    def stop(deployment: Deployment, executions: Executions, arn: str) -> None:
        confirm(f"Stop {parse_execution_name(arn)}? What it has done so far stays. This cannot be undone.", yes)
        control.stop_execution(deployment, executions, arn, cause)

    arn = _apply(context, name, stop)
    _show_result(context, arn, Status.ABORTED, "Stopped", as_json)


def redrive_execution(
    context: typer.Context, *, name: StandardExecution, yes: Yes = False, as_json: Json = False
) -> None:
    """Continue a standard execution that failed, from the state that failed."""
    require_yes(as_json=as_json, yes=yes)

    def redrive(deployment: Deployment, executions: Executions, arn: str) -> None:
        confirm(f"Redrive {parse_execution_name(arn)}? It continues from the state that failed.", yes)
        control.redrive_execution(deployment, executions, arn)

    arn = _apply(context, name, redrive)
    _show_result(context, arn, Status.RUNNING, "Redriven", as_json)


def _apply(context: typer.Context, name: str, change: Callable[[Deployment, Executions, str], None]) -> str:
    """Change the execution that a name stands for, and return its ARN."""
    with reported_errors():
        deployment = get_deployment(context)
        executions = Executions(deployment)
        arn = executions.resolve_arn(name)
        change(deployment, executions, arn)
    return arn


def _show_result(context: typer.Context, arn: str, status: Status, verb: str, as_json: bool) -> None:
    if as_json:
        print_json({"arn": arn, "status": status.value})
    else:
        say(f"{verb}. Follow it with: {get_command_prefix(context)} executions follow {parse_execution_name(arn)}")
