"""What every command has in common: how it tells of progress and errors, and which deployment it is about."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from amberflo_workflows.local import system as systems
from amberflo_workflows.local.home import home
from amberflo_workflows.local.system import System
from amberflo_workflows.operate.deployment import AwsDeployment, Deployment
from amberflo_workflows.operate.errors import OperatorError

if TYPE_CHECKING:
    from amberflo_workflows.operate.api_client import ApiClient

console = Console()
errors = Console(stderr=True)

Item = TypeVar("Item")

NOT_RUNNING: Final = 3
# Wider than any table: what is piped gets each row as one line.
_PIPED_COLUMNS: Final = 100_000
Json = Annotated[bool, typer.Option("--json", help="For programs.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def escape_control(text: str) -> str:
    """Text that may come from anybody, as one line; what would steer a terminal is written out, like ``\\x1b``."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def say(text: str) -> None:
    """Lines as they are: not wrapped, so that they can be copied, nor read as markup, since usage may be in them."""
    _say(console, text)


def note(text: str) -> None:
    """What is not the result itself, so that it does not get between a program and its JSON."""
    _say(errors, text)


def fail(message: object, code: int = 1) -> typer.Exit:
    """Say what is wrong in one line; to be raised."""
    _say(errors, f"metering: {message}", style="red")
    return typer.Exit(code)


def _say(where: Console, text: str, style: str | None = None) -> None:
    for line in text.split("\n"):
        where.print(escape_control(line), style=style, markup=False, emoji=False, highlight=False, soft_wrap=True)


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Sequence[str] = ()) -> None:
    """Rows under a header, each cell as it is; ``numbers`` are the columns that end at the right."""
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(
            Text(escape_control(column)), justify="right" if column in numbers else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*(Text(escape_control(str(cell))) for cell in row))
    (console if console.is_terminal else Console(width=_PIPED_COLUMNS)).print(table)


def confirm(question: str, yes: bool) -> None:
    """Ask, unless told not to; ends the command if the answer is no, or nobody is there to give one."""
    if yes:
        return
    try:
        agreed = typer.confirm(escape_control(question), err=True)
    except typer.Abort:
        note("")
        raise fail("nobody answered, so nothing was done; --yes does it without asking", 2) from None
    if not agreed:
        raise fail("nothing was done.")


def time_option(option: str, text: str, now: int) -> int:
    """A moment that an option gives, in epoch seconds; says so where its zone had to be assumed."""
    from amberflo_workflows.operate.times import InvalidTime, parse_time  # noqa: PLC0415 - few commands need it

    try:
        found = parse_time(text, now)
    except InvalidTime as error:
        raise fail(f"{option}: {error}", 2) from None
    if found.assumed:
        note(f"{option} {text} is taken as {found.assumed}, in the time zone of this machine.")
    return found.seconds


@contextmanager
def reported_errors() -> Iterator[None]:
    """Errors as one line and an exit code, not as a stack trace."""
    try:
        yield
    except OperatorError as error:
        raise fail(error) from None
    except Exception as error:
        # Only what AWS or the way to it answers; importing botocore for its base class would cost each command.
        if not type(error).__module__.startswith("botocore"):
            raise
        raise fail(f"AWS: {error}") from None


@contextmanager
def show_progress() -> Iterator[Callable[[str], None]]:
    """Tell what is going on: in place on a terminal, else a line each."""
    if not console.is_terminal:
        yield console.print
        return
    with console.status("Starting") as status:
        yield status.update


@contextmanager
def show_status(what: str) -> Iterator[Callable[[str], None]]:
    """Show on a terminal what goes on, apart from the result; the function given tells of something else."""
    if not errors.is_terminal:
        yield lambda _: None
        return
    with errors.status(what) as status:
        yield status.update


def with_progress(items: Iterable[Item], title: str, total: int) -> Iterable[Item]:
    """The items, with a progress bar on a terminal."""
    return track(items, title, total=total, console=console, disable=not console.is_terminal)


def require_local_system() -> System:
    """The local system; ends the command when there is none."""
    found = systems.current(home())
    if found is None:
        why = systems.died(home()) or "nothing is running here"
        raise fail(f"{why}; start it with: metering up", NOT_RUNNING)
    return found


def get_deployment(context: typer.Context) -> Deployment:
    """The stack on AWS that ``metering --stack`` names, else the local system."""
    return context.obj if isinstance(context.obj, AwsDeployment) else require_local_system()


def get_api_client(context: typer.Context) -> "ApiClient":
    """A client of the LOOPBACK_SESSION API of :func:`get_deployment`, with a fresh token."""
    import requests  # noqa: PLC0415 - slow to import

    from amberflo_workflows.operate.api_client import ApiClient  # noqa: PLC0415 - as above
    from amberflo_workflows.operate.loopback import LOOPBACK_SESSION  # noqa: PLC0415 - as above

    found = get_deployment(context)
    if isinstance(found, AwsDeployment):
        return ApiClient(found.api_endpoint, found.access_token, requests.Session(), found.command)
    return ApiClient(found.api_endpoint, found.access_token, LOOPBACK_SESSION)
