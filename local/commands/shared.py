"""What every command has in common: how it tells of progress and errors, and which deployment it is about."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated, Final, TypeVar

import typer
from rich.console import Console
from rich.progress import track

from amberflo_workflows.local import system as systems
from amberflo_workflows.local.deployment import AwsDeployment, Deployment
from amberflo_workflows.local.home import home
from amberflo_workflows.local.processes import LocalError
from amberflo_workflows.local.system import System

console = Console()
errors = Console(stderr=True)

Item = TypeVar("Item")

NOT_RUNNING: Final = 3
Json = Annotated[bool, typer.Option("--json", help="For programs.")]


def say(text: str) -> None:
    """A line as it is: neither wrapped, so that it can be copied, nor read as markup, since usage may be in it."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def fail(message: object, code: int = 1) -> typer.Exit:
    """Say what is wrong in one line; to be raised."""
    errors.print(f"metering: {message}", style="red", markup=False, highlight=False, soft_wrap=True)
    return typer.Exit(code)


@contextmanager
def told() -> Iterator[None]:
    """Errors as one line and an exit code, not as a stack trace."""
    try:
        yield
    except LocalError as error:
        raise fail(error) from None
    except Exception as error:
        # Only what AWS or the way to it answers; importing botocore for its base class would cost each command.
        if not type(error).__module__.startswith("botocore"):
            raise
        raise fail(f"AWS: {error}") from None


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Tell what is going on: in place on a terminal, else a line each."""
    if not console.is_terminal:
        yield console.print
        return
    with console.status("Starting") as status:
        yield status.update


def tracked(items: Iterable[Item], title: str, total: int) -> Iterable[Item]:
    """The items, with a progress bar on a terminal."""
    return track(items, title, total=total, console=console, disable=not console.is_terminal)


def running() -> System:
    """The local system; ends the command when there is none."""
    found = systems.current(home())
    if found is None:
        why = systems.died(home()) or "nothing is running here"
        raise fail(f"{why}; start it with: metering up", NOT_RUNNING)
    return found


def deployment(context: typer.Context) -> Deployment:
    """The stack on AWS that ``metering --stack`` names, else the local system."""
    return context.obj if isinstance(context.obj, AwsDeployment) else running()
