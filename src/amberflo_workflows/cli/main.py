"""Usage metering with Amberflo: the local system, and operator commands for it or, with --stack, for a stack on AWS.

Exit codes: 0 success, 1 failure, 2 invalid arguments, 3 nothing is running.
"""

from typing import Annotated, Final

import typer

import amberflo_workflows
from amberflo_workflows.cli.lazy import LazyCommand, LazyGroup

# The help is the first line of the command's own help; a test compares the two.
COMMANDS: Final = {
    "up": LazyCommand("amberflo_workflows.cli.up", "Start the local system and leave it running."),
    "down": LazyCommand(
        "amberflo_workflows.cli.down",
        "Stop the local system; the next start restores meters, usage and queued events.",
    ),
    "status": LazyCommand("amberflo_workflows.cli.status", "Show what is running, and where."),
    "env": LazyCommand(
        "amberflo_workflows.cli.env", 'Print shell settings for curl and the AWS CLI: eval "$(metering env)".'
    ),
    "token": LazyCommand(
        "amberflo_workflows.cli.token", "Print a bearer token for the API, which is valid for an hour."
    ),
    "logs": LazyCommand("amberflo_workflows.cli.logs", "Print the logs of the Lambda functions, oldest first."),
    "console": LazyCommand(
        "amberflo_workflows.cli.console", "Open the console in the browser. With --stack it runs until Ctrl+C."
    ),
    "meters": LazyCommand("amberflo_workflows.cli.meters", "List, create, show, update and delete meters."),
    "customers": LazyCommand("amberflo_workflows.cli.customers", "List and show the customers of tenants."),
    "usage": LazyCommand("amberflo_workflows.cli.usage", "Fetch, chart, explain, cancel and restore usage."),
    "trace": LazyCommand(
        "amberflo_workflows.cli.trace",
        "Show what became of a usage: when it was counted, rejected or cancelled, and by which execution.",
    ),
    "reconcile": LazyCommand(
        "amberflo_workflows.cli.reconcile",
        "Compare the ledger with what Amberflo reports, for each meter, tenant and hour.",
    ),
    "replay": LazyCommand(
        "amberflo_workflows.cli.replay",
        "Send usage of the ledger to Amberflo again; what Amberflo has already counts once.",
    ),
    "close": LazyCommand(
        "amberflo_workflows.cli.close",
        "Check whether a billing period is ready to be invoiced: reconciled, and nothing of it waits.",
    ),
    "events": LazyCommand("amberflo_workflows.cli.events", "Send usage or other events to the event bus."),
    "backfill": LazyCommand("amberflo_workflows.cli.backfill", "Count the usage in a file."),
    "rejected": LazyCommand("amberflo_workflows.cli.rejected", "List, fix, redrive and drop rejected usage."),
    "dead": LazyCommand("amberflo_workflows.cli.dead", "List, explain, redrive and drop dead events."),
    "executions": LazyCommand(
        "amberflo_workflows.cli.executions", "List, show, follow, start, stop and redrive executions of the workflows."
    ),
    "fault": LazyCommand("amberflo_workflows.cli.fault", "Inject faults into the sandbox, and clear them."),
    "demo": LazyCommand(
        "amberflo_workflows.cli.demo", "Run the main job on a system of its own, which stops at the end."
    ),
    "sbt-bindings": LazyCommand(
        "amberflo_workflows.cli.sbt_bindings", "Generate Python bindings for the SaaS Builder Toolkit, as a wheel."
    ),
}


class MeteringGroup(LazyGroup):
    """All commands, in the order of the help."""

    lazy_commands = COMMANDS


app = typer.Typer(
    cls=MeteringGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help=__doc__,
    rich_markup_mode=None,
    # Commands inherit it.
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(is_requested: bool) -> None:
    if is_requested:
        print(f"metering {amberflo_workflows.__version__}")
        raise typer.Exit


@app.callback()
def main(
    context: typer.Context,
    stack: Annotated[str | None, typer.Option(help="Use this stack on AWS instead of the local system.")] = None,
    profile: Annotated[str | None, typer.Option(help="With --stack: the AWS profile.")] = None,
    region: Annotated[str | None, typer.Option(help="With --stack: the AWS region.")] = None,
    version: Annotated[  # noqa: ARG001 - its callback ends the command
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Process the options that all commands share."""
    if stack:
        # boto3 takes a third of a second to import, and commands for the local system need little of AWS.
        from amberflo_workflows.operate.deployment import AwsDeployment  # noqa: PLC0415 - slow to import, and not always needed

        context.obj = AwsDeployment(stack, profile, region)
    elif profile or region:
        from amberflo_workflows.cli.output import fail  # noqa: PLC0415 - as above

        raise fail("--profile and --region require --stack", 2)


if __name__ == "__main__":
    app()
