"""``metering``: the local system from the command line.

Exit codes: 0 done, 1 failed, 2 wrong use, 3 nothing is running.
"""

import json
import shlex
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from amberflo_workflows.local import system as systems
from amberflo_workflows.local.home import home
from amberflo_workflows.local.processes import LocalError
from amberflo_workflows.local.system import System

app = typer.Typer(no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False, help=__doc__)
fault_app = typer.Typer(no_args_is_help=True, help="Make the sandbox misbehave, and behave again.")
app.add_typer(fault_app, name="fault")
console = Console()
errors = Console(stderr=True)

NOT_RUNNING = 3
Json = Annotated[bool, typer.Option("--json", help="For programs.")]


@contextmanager
def _told() -> Iterator[None]:
    """Errors as one line and an exit code, not as a stack trace."""
    try:
        yield
    except LocalError as error:
        errors.print(f"metering: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Tell what is going on: in place on a terminal, else a line each."""
    if not console.is_terminal:
        yield console.print
        return
    with console.status("Starting") as status:
        yield status.update


def _running() -> System:
    found = systems.current(home())
    if found is None:
        why = systems.died(home()) or "nothing is running here"
        errors.print(f"metering: {why}; start it with: metering up", style="red", markup=False, soft_wrap=True)
        raise typer.Exit(NOT_RUNNING)
    return found


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
    with _told(), _progress() as tell:
        started = systems.up(home(), port, tell)
    console.print(f"The API is at {started.api_endpoint}", highlight=False)
    console.print('Next: eval "$(.venv/bin/metering env)"', markup=False, highlight=False)


@app.command()
def down() -> None:
    """Stop the local system; meters, usage and queued events are there again when it is next started."""
    with _told():
        stopped = systems.clean_up(home())
    console.print("Stopped." if stopped else "Nothing was running.")


@app.command()
def status(as_json: Json = False) -> None:
    """What runs, and where."""
    found = _running()
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
    found = _running()
    with _told():
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
def token() -> None:
    """A bearer token for the API."""
    found = _running()
    with _told():
        print(found.access_token)


@app.command()
def logs(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    minutes: Annotated[int, typer.Option(help="How far back.")] = 10,
) -> None:
    """What the Lambdas wrote."""
    from amberflo_workflows.local.logs import lines  # noqa: PLC0415 - imports boto3

    for line in lines(_running(), minutes=minutes, follow=follow):
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
        with _told(), tempfile.TemporaryDirectory(prefix="metering-demo-") as folder, ExitStack() as ends:
            with _progress() as tell:
                system = ends.enter_context(systems.running_system(Path(folder), tell=tell))
            good = Demo(system, console).run(usages)
    except (BadFile, DemoFailed) as error:
        errors.print(f"metering: {error}", style="red", markup=False, highlight=False)
        raise typer.Exit(1) from None
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
    sandbox = _running().sandbox
    if sandbox is None:
        errors.print("metering: this system talks to the real Amberflo; only a sandbox has faults.", style="red")
        raise typer.Exit(1)
    try:
        sandbox.set_faults(faults)
    except ValueError as error:
        errors.print(f"metering: {error}", style="red", markup=False)
        raise typer.Exit(1) from None
    console.print("The sandbox misbehaves as told." if faults else "The sandbox behaves.")


if __name__ == "__main__":
    app()
