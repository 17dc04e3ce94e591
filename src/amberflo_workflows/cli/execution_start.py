"""``metering executions start``, and how it is told that an execution ended."""

import json
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from amberflo_workflows.cli import execution_views as views
from amberflo_workflows.cli.context import get_command_prefix, get_deployment, reported_errors
from amberflo_workflows.cli.options import Json
from amberflo_workflows.cli.output import fail, note, say, show_status
from amberflo_workflows.operate.executions.examples import build_example_input
from amberflo_workflows.operate.executions.executions import Executions
from amberflo_workflows.operate.executions.machines import Machine
from amberflo_workflows.operate.executions.model import Execution, Status, parse_execution_name
from amberflo_workflows.operate.executions.start import StartedExecution
from amberflo_workflows.operate.executions.start import start_execution as begin

_MOST_SHOWN: Final = 500


def start_execution(
    context: typer.Context,
    *,
    workflow: Annotated[str | None, typer.Argument(help="Which; or --like.")] = None,
    given: Annotated[
        str | None, typer.Option("--input", metavar="FILE|-|JSON", help="Its input; default: an example.")
    ] = None,
    like: Annotated[str | None, typer.Option(metavar="EXECUTION", help="Again, with the input of this one.")] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Until it ends; fails if it failed.")] = True,
    as_json: Json = False,
) -> None:
    """Start a workflow: with an input, an example of one, or the input of an earlier execution."""
    if bool(workflow) == bool(like) or (like and given is not None):
        raise fail("say which: a workflow, with --input or without, or --like EXECUTION", 2)
    with reported_errors():
        deployed = get_deployment(context)
        executions = Executions(deployed)
        if like:
            machine, text = _again(executions, like)
        else:
            machine = executions.machines.get(workflow or "")
            text = _input(given) if given is not None else _example(machine.workflow, deployed.outputs)
        note(f"{machine.workflow} starts with {text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + '…'}")
        with show_status(f"{machine.workflow} runs"):
            started = begin(deployed, machine, text, wait=wait)
            if wait and started.status is Status.RUNNING:
                started = ended(last(executions.follow(started.arn)))
    tell_end(context, started, machine.workflow, as_json)


def last(steps: Iterable[Execution]) -> Execution:
    """How it is at its end."""
    *_, last = steps
    return last


def ended(execution: Execution) -> StartedExecution:
    """What came of an execution."""
    return StartedExecution(
        execution.summary.arn, execution.summary.status, execution.output, execution.error, execution.cause
    )


def tell_end(context: typer.Context, started: StartedExecution, workflow: str, as_json: bool) -> None:
    """Tell how it ended, or that it goes on."""
    name = parse_execution_name(started.arn)
    if as_json:
        print_json({"workflow": workflow, **asdict(started)})
    elif started.status is Status.RUNNING:
        say(f"{started.arn}\nIt runs; watch it with: {get_command_prefix(context)} executions follow {name}")
    elif started.status.is_failure:
        told_of = views.problem(started.error, started.cause)
        say(f"{workflow} {views.outcome(started.status)}: {told_of}")
        say(f"See: {get_command_prefix(context)} executions show {name}")
    else:
        say(f"{workflow} {views.outcome(started.status)}; see: {get_command_prefix(context)} executions show {name}")
        say(views.pretty(started.output))
    raise typer.Exit(1 if started.status.is_failure else 0)


def print_json(facts: object) -> None:
    """For programs; times in ISO 8601."""
    print(json.dumps(facts, indent=2, default=_plain))


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else asdict(value)


def _again(executions: Executions, wanted: str) -> tuple[Machine, str]:
    execution = executions.get(executions.resolve_arn(wanted))
    if execution.input is None:
        raise fail(f"the input of {execution.summary.name} is not in its log; give one with --input")
    return executions.machines.get(execution.summary.workflow), execution.input


def _input(given: str) -> str:
    if given == "-":
        return sys.stdin.read()
    if given.lstrip()[:1] in {"{", "[", '"'}:
        return given
    try:
        return Path(given).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise fail(f"--input takes a file, - or JSON; {given} cannot be read: {why}", 2) from None


def _example(workflow: str, outputs: Mapping[str, str]) -> str:
    return json.dumps(build_example_input(workflow, outputs, time.time()))
