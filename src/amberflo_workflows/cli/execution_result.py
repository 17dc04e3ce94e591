"""The end of an execution: wait for it, and print its outcome."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

import typer

from amberflo_workflows.cli import execution_text
from amberflo_workflows.cli.context import get_command_prefix
from amberflo_workflows.cli.output import say
from amberflo_workflows.operate.executions.content import parse_response_status
from amberflo_workflows.operate.executions.model import Execution, Status, parse_execution_name
from amberflo_workflows.operate.executions.start import StartedExecution


def wait_until_ended(updates: Iterable[Execution]) -> Execution:
    """Return the last of the updates, when the execution has ended."""
    *_, execution = updates
    return execution


def build_result(execution: Execution) -> StartedExecution:
    """Build the result of an execution that was followed."""
    return StartedExecution(
        execution.summary.arn, execution.summary.status, execution.output, execution.error, execution.cause
    )


def show_result(context: typer.Context, result: StartedExecution, workflow: str, as_json: bool) -> None:
    """Print the outcome, or that the execution is still running, and end the command with its exit code."""
    name, command = parse_execution_name(result.arn), f"{get_command_prefix(context)} executions"
    outcome = execution_text.render_outcome(result.status, parse_response_status(result.output))
    if as_json:
        print_json({"workflow": workflow, **asdict(result)})
    elif result.status is Status.RUNNING:
        say(f"{result.arn}\nStill running; follow it with: {command} follow {name}")
    elif result.status.is_failure:
        say(f"{workflow} {outcome}: {execution_text.render_error(result.error, result.cause)}")
        say(f"See: {command} show {name}")
    else:
        say(f"{workflow} {outcome}; see: {command} show {name}")
        say(execution_text.format_json(result.output))
    raise typer.Exit(1 if result.status.is_failure else 0)


def print_json(value: object) -> None:
    """Print JSON; times are in ISO 8601."""
    print(json.dumps(value, indent=2, default=_encode))


def _encode(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else asdict(value)
