"""Wait for an operation that the API has started."""

from typing import Any, Final

import typer

from amberflo_workflows.cli.context import get_command_prefix
from amberflo_workflows.cli.output import note
from amberflo_workflows.operate.started_operation import StartedOperation

# What a shell reports for a command that Ctrl+C ended.
INTERRUPTED_EXIT_CODE: Final = 130


def wait_for(context: typer.Context, operation: StartedOperation) -> dict[str, Any]:
    """Return the result of an operation. If the command is interrupted, the execution goes on.

    Raises :class:`~amberflo_workflows.operate.errors.OperatorError`.
    """
    try:
        return operation.wait()
    except KeyboardInterrupt:
        raise report_interruption(context, operation.arn) from None


def report_interruption(context: typer.Context, arn: str) -> typer.Exit:
    """Say that an execution goes on, and return the end of the command."""
    note(f"The execution goes on. See: {get_command_prefix(context)} executions show {arn}")
    return typer.Exit(INTERRUPTED_EXIT_CODE)
