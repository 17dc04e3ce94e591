"""Usage metering with Amberflo: the local system, and what operators do there or, with --stack, on AWS.

Exit codes: 0 done, 1 failed, 2 wrong use, 3 nothing is running.
"""

import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from amberflo_workflows.cli import dead, events, executions, faults, meters, rejected, usage, where
from amberflo_workflows.cli.backfill import backfill
from amberflo_workflows.cli.console import console as open_console
from amberflo_workflows.cli.shared import Json, console, fail, note, reported_errors, say, show_progress, show_status
from amberflo_workflows.local import system as systems
from amberflo_workflows.local.home import home
from amberflo_workflows.operate.deployment import AwsDeployment
from amberflo_workflows.operate.errors import OperatorError

app = typer.Typer(no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False, help=__doc__)


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
    as_json: Json = False,
) -> None:
    """Start the local system and leave it running."""
    found = systems.current(home())
    begun = found is None
    if found is None:
        with reported_errors(), show_progress() as tell:
            # A console that is left looks at an emulator that has gone.
            _process().stop(home())
            found = systems.up(home(), port, (lambda _: None) if as_json else tell, note)
    address = _console()
    if as_json:
        print(json.dumps({"api": found.api_endpoint, "console": address, "started": begun}))
        return
    say(f"The API is at {found.api_endpoint}" if begun else f"It is running already, at {found.api_endpoint}")
    if address:
        say(f"The console is at {address}")
    if begun:
        say('Next: eval "$(.venv/bin/metering env)"')


def _process() -> ModuleType:
    from amberflo_workflows.local import console_process as process  # noqa: PLC0415 - imports requests

    return process


def _console() -> str | None:
    """The console's address, started unless it runs; ``None`` if it cannot be: the system is of use without one."""
    try:
        address: str = _process().start(home())
    except OperatorError as error:
        note(str(error))
        return None
    return address


@app.command()
def down(as_json: Json = False) -> None:
    """Stop the local system; meters, usage and queued events are there again when it is next started."""
    with reported_errors():
        _process().stop(home())
        stopped = systems.clean_up(home(), note)
    if as_json:
        print(json.dumps({"stopped": stopped}))
    else:
        say("Stopped." if stopped else "Nothing was running.")


@app.command()
def sbt_bindings(
    out: Annotated[Path, typer.Option(help="Folder for the wheel.")] = Path("build/sbt"),
    package: Annotated[Path | None, typer.Option(help="SBT's npm package; default: the pinned release.")] = None,
    as_json: Json = False,
) -> None:
    """Make Python bindings for the SaaS Builder Toolkit, as a wheel to install beside this package."""
    from amberflo_workflows.infra.node import NodeMissing  # noqa: PLC0415 - only this command needs them
    from amberflo_workflows.infra.sbt.bindings import BindingsFailed, build_wheel, render_install_hint  # noqa: PLC0415 - as above

    try:
        with show_status("Making the bindings; this takes a quarter of a minute when it is done first"):
            made = build_wheel(out, package)
    except (BindingsFailed, NodeMissing) as error:
        raise fail(error) from None
    if as_json:
        print(json.dumps({"wheel": str(made)}))
    else:
        say(render_install_hint(made))


@app.command()
def demo(
    events: Annotated[Path | None, typer.Option(help="CSV or NDJSON file of usages; default: generated ones.")] = None,
) -> None:
    """Run the main job in front of you, on a system of its own; leaves nothing running."""
    from amberflo_workflows.core.usage_file import InvalidFile  # noqa: PLC0415 - only this command needs it
    from amberflo_workflows.local.demo.run import Demo, DemoFailed  # noqa: PLC0415 - rich's tables and more
    from amberflo_workflows.local.demo.usages import generate_usages  # noqa: PLC0415 - as above
    from amberflo_workflows.operate.usage_files import read_usage_list  # noqa: PLC0415 - as above

    try:
        usages = read_usage_list(events) if events else generate_usages()
        with reported_errors(), tempfile.TemporaryDirectory(prefix="metering-demo-") as folder, ExitStack() as ends:
            with show_progress() as tell:
                system = ends.enter_context(systems.running_system(Path(folder), tell=tell))
            good = Demo(system, console).run(usages)
    except (InvalidFile, DemoFailed) as error:
        raise fail(error) from None
    console.print("All totals are as expected." if good else "[red]Totals differ from what was expected.[/red]")
    raise typer.Exit(0 if good else 1)


for command in (where.status, where.env, where.token, where.logs):
    app.command()(command)
app.command()(backfill)
app.command("console")(open_console)
app.add_typer(rejected.app, name="rejected")
app.add_typer(dead.app, name="dead")
app.add_typer(executions.app, name="executions")
app.add_typer(meters.app, name="meters")
app.add_typer(usage.app, name="usage")
app.add_typer(events.app, name="events")
app.add_typer(faults.app, name="fault")


if __name__ == "__main__":
    app()
