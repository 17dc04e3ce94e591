"""Usage metering with Amberflo: the local system, and what operators do there or, with --stack, on AWS.

Exit codes: 0 done, 1 failed, 2 wrong use, 3 nothing is running.
"""

import json
import shlex
import tempfile
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from amberflo_workflows.local import system as systems
from amberflo_workflows.local import tokens
from amberflo_workflows.local.commands import dead, events, executions, meters, rejected, usage
from amberflo_workflows.local.commands.backfill import backfill
from amberflo_workflows.local.commands.shared import Json, console, fail, progress, running, say, told
from amberflo_workflows.local.deployment import AwsDeployment
from amberflo_workflows.local.home import home


class TokenScope(StrEnum):
    """What a token is good for."""

    READ = "read"
    WRITE = "write"
    BOTH = "both"


app = typer.Typer(no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False, help=__doc__)
fault_app = typer.Typer(no_args_is_help=True, help="Make the sandbox misbehave, and behave again.")
app.add_typer(fault_app, name="fault")
app.command()(backfill)
app.add_typer(rejected.app, name="rejected")
app.add_typer(dead.app, name="dead")
app.add_typer(executions.app, name="executions")
app.add_typer(meters.app, name="meters")
app.add_typer(usage.app, name="usage")
app.add_typer(events.app, name="events")


@app.callback()
def main(
    context: typer.Context,
    stack: Annotated[str | None, typer.Option(help="Work on this stack on AWS, not on the local system.")] = None,
    profile: Annotated[str | None, typer.Option(help="With --stack: the AWS profile.")] = None,
    region: Annotated[str | None, typer.Option(help="With --stack: the AWS region.")] = None,
) -> None:
    """Take down what all commands have in common."""
    if stack:
        context.obj = AwsDeployment(stack, profile, region)
    elif profile or region:
        raise fail("--profile and --region go with --stack", 2)


@app.command()
def up(
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the emulator; default 4566, or a free one.")
    ] = None,
) -> None:
    """Start the local system and leave it running."""
    found = systems.current(home())
    if found:
        console.print(f"It is running already, at {found.api_endpoint}", highlight=False, soft_wrap=True)
        return
    with told(), progress() as tell:
        started = systems.up(home(), port, tell)
    console.print(f"The API is at {started.api_endpoint}", highlight=False)
    console.print('Next: eval "$(.venv/bin/metering env)"', markup=False, highlight=False)


@app.command()
def down() -> None:
    """Stop the local system; meters, usage and queued events are there again when it is next started."""
    with told():
        stopped = systems.clean_up(home())
    console.print("Stopped." if stopped else "Nothing was running.")


@app.command()
def status(as_json: Json = False) -> None:
    """What runs, and where."""
    found = running()
    facts = {
        "api": found.api_endpoint,
        "aws": found.emulator.url,
        "amberflo": found.amberflo_url,
        "sandbox": found.sandbox is not None,
        "eventBus": found.outputs["EventBusName"],
        "stateMachines": found.state_machine_arns,
        "usageQueue": found.outputs["UsageQueueUrl"],
        "deadLetterQueue": found.outputs["UsageDeadLetterQueueUrl"],
        "rejectedTable": found.outputs["RejectedTableName"],
        "home": str(home()),
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


@app.command()
def env() -> None:
    """Shell settings for curl and the AWS command line: eval "$(metering env)"."""
    found = running()
    with told():
        values = {
            "CONTROL_PLANE_API_ENDPOINT": found.api_endpoint,
            "ACCESS_TOKEN": found.access_token,
            **found.emulator.environment,
            "EVENT_BUS_NAME": found.outputs["EventBusName"],
            "STATE_MACHINE_ARNS": found.outputs["StateMachineArns"],
            "AMBERFLO_SANDBOX_URL": found.amberflo_url if found.sandbox else "",
        }
    for name, value in values.items():
        print(f"export {name}={shlex.quote(value)}")
    # What the user may have set for their own AWS would come before these.
    print("unset AWS_PROFILE AWS_SESSION_TOKEN")


@app.command()
def token(
    scope: Annotated[TokenScope, typer.Option(help="What it is good for.")] = TokenScope.BOTH,
    expired: Annotated[bool, typer.Option("--expired", help="One that has run out, to see it refused.")] = False,
) -> None:
    """A bearer token for the API, good for an hour."""
    found = running()
    with told():
        given = tokens.access_token(found.emulator, found.outputs, tokens.SCOPES[scope.value])
        print(tokens.expired(given, home() / "emulator", found.outputs["UserPoolId"]) if expired else given)


@app.command()
def sbt_bindings(
    out: Annotated[Path, typer.Option(help="Folder for the wheel.")] = Path("build/sbt"),
    package: Annotated[Path | None, typer.Option(help="SBT's npm package; default: the pinned release.")] = None,
) -> None:
    """Make Python bindings for the SaaS Builder Toolkit, as a wheel to install beside this package."""
    from amberflo_workflows.infra.node import NodeMissing  # noqa: PLC0415 - only this command needs them
    from amberflo_workflows.infra.sbt.bindings import BindingsFailed, installing, wheel  # noqa: PLC0415 - as above

    try:
        with progress() as tell:
            tell("Making the bindings; this takes a quarter of a minute when it is done first")
            made = wheel(out, package)
    except (BindingsFailed, NodeMissing) as error:
        raise fail(error) from None
    say(installing(made))


@app.command()
def logs(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    minutes: Annotated[int, typer.Option(help="How far back.")] = 10,
) -> None:
    """What the Lambdas wrote."""
    from amberflo_workflows.local.logs import lines  # noqa: PLC0415 - imports boto3

    for line in lines(running(), minutes=minutes, follow=follow):
        print(line)


@app.command()
def demo(
    events: Annotated[Path | None, typer.Option(help="CSV or NDJSON file of usages; default: generated ones.")] = None,
) -> None:
    """Run the main job in front of you, on a system of its own; leaves nothing running."""
    from amberflo_workflows.local.demo.run import Demo, DemoFailed  # noqa: PLC0415 - rich's tables and more
    from amberflo_workflows.local.demo.usages import BadFile, generated, read  # noqa: PLC0415 - as above

    try:
        usages = read(events) if events else generated()
        with told(), tempfile.TemporaryDirectory(prefix="metering-demo-") as folder, ExitStack() as ends:
            with progress() as tell:
                system = ends.enter_context(systems.running_system(Path(folder), tell=tell))
            good = Demo(system, console).run(usages)
    except (BadFile, DemoFailed) as error:
        raise fail(error) from None
    console.print("All totals are as expected." if good else "[red]Totals differ from what was expected.[/red]")
    raise typer.Exit(0 if good else 1)


@fault_app.command("set")
def fault_set(  # noqa: PLR0917 - each is an option of the command line
    kind: Annotated[
        str, typer.Argument(help="status, delay, drop, hang, accept_then_drop, wrong_key, redirect, garbage")
    ],
    path: Annotated[str, typer.Option(help="Pattern of the paths it strikes.")] = "*",
    status: Annotated[int, typer.Option(help="For kind status.")] = 503,
    seconds: Annotated[float, typer.Option(help="For delay and hang.")] = 30,
    times: Annotated[int | None, typer.Option(help="How many calls; default: until cleared.")] = None,
    share: Annotated[float, typer.Option(help="Part of the calls, above 0 and up to 1.")] = 1.0,
) -> None:
    """Replace the faults by this one."""
    fault: dict[str, Any] = {"kind": kind, "path": path, "status": status, "seconds": seconds, "share": share}
    if times is not None:
        fault["times"] = times
    _arm([fault])


@fault_app.command("clear")
def fault_clear() -> None:
    """Behave again."""
    _arm([])


def _arm(faults: list[dict[str, Any]]) -> None:
    sandbox = running().sandbox
    if sandbox is None:
        raise fail("this system talks to the real Amberflo; only a sandbox has faults.")
    try:
        sandbox.set_faults(faults)
    except ValueError as error:
        raise fail(error) from None
    console.print("The sandbox misbehaves as told." if faults else "The sandbox behaves.")


if __name__ == "__main__":
    app()
