"""``metering executions start``."""

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Final

import typer

from amberflo_workflows.cli.completion import complete_workflow
from amberflo_workflows.cli.context import get_deployment, reported_errors
from amberflo_workflows.cli.execution_result import build_result, show_result, wait_until_ended
from amberflo_workflows.cli.options import Json
from amberflo_workflows.cli.output import fail, note, show_status
from amberflo_workflows.operate.executions import start
from amberflo_workflows.operate.executions.examples import build_example_input
from amberflo_workflows.operate.executions.executions import Executions
from amberflo_workflows.operate.executions.machines import Machine
from amberflo_workflows.operate.executions.model import Status

_MAX_INPUT_SHOWN: Final = 500


def start_execution(
    context: typer.Context,
    *,
    workflow: Annotated[
        str | None,
        typer.Argument(help="The workflow to start, unless --like is used.", autocompletion=complete_workflow),
    ] = None,
    input_option: Annotated[
        str | None, typer.Option("--input", metavar="FILE|-|JSON", help="The input. Default: an example.")
    ] = None,
    like: Annotated[
        str | None, typer.Option(metavar="EXECUTION", help="Start the workflow of this execution with its input.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait until it ends; exit code 1 if it failed.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Start a workflow: with an input, an example input, or the input of an earlier execution."""
    if bool(workflow) == bool(like) or (like and input_option is not None):
        raise fail("WORKFLOW, with or without --input, or --like EXECUTION is required", 2)
    with reported_errors():
        deployment = get_deployment(context)
        executions = Executions(deployment)
        if like:
            machine, text = _read_earlier_input(executions, like)
        else:
            machine = executions.machines.get(workflow or "")
            if input_option is None:
                text = json.dumps(build_example_input(machine.workflow, deployment.outputs, time.time()))
            else:
                text = _read_input(input_option)
        shown_input = text if len(text) <= _MAX_INPUT_SHOWN else text[:_MAX_INPUT_SHOWN] + "…"
        note(f"Starting {machine.workflow} with {shown_input}")
        with show_status(f"{machine.workflow} is running"):
            result = start.start_execution(deployment, machine, text, wait=wait)
            if wait and result.status is Status.RUNNING:
                result = build_result(wait_until_ended(executions.follow(result.arn)))
    show_result(context, result, machine.workflow, as_json)


def _read_earlier_input(executions: Executions, name: str) -> tuple[Machine, str]:
    execution = executions.get(executions.resolve_arn(name))
    if execution.input is None:
        raise fail(f"the log of {execution.summary.name} does not have its input; use --input")
    return executions.machines.get(execution.summary.workflow), execution.input


def _read_input(option: str) -> str:
    if option == "-":
        return sys.stdin.read()
    if option.lstrip()[:1] in {"{", "[", '"'}:
        return option
    try:
        return Path(option).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise fail(f"--input must be a file, - or JSON; {option} cannot be read: {reason}", 2) from None
