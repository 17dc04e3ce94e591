"""How the commands print results, notes, errors and progress, and ask for confirmation."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

console = Console()
error_console = Console(stderr=True)

Item = TypeVar("Item")

# Wider than any table, so that each row of a piped table is one line.
_PIPED_COLUMNS: Final = 100_000


def escape_control(text: str) -> str:
    """Escape control characters, like ``\\x1b``, so that untrusted text is one line and cannot control the terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def say(text: str) -> None:
    """Print a result: not wrapped, so that it can be copied, and not read as markup, since usage may be in it."""
    _print(console, text)


def note(text: str) -> None:
    """Print to the standard error, so that the standard output has nothing but the result."""
    _print(error_console, text)


def fail(message: object, code: int = 1) -> typer.Exit:
    """Print an error in one line. Returns the exception for the caller to raise."""
    _print(error_console, f"metering: {message}", style="red")
    return typer.Exit(code)


def _print(target: Console, text: str, style: str | None = None) -> None:
    for line in text.split("\n"):
        target.print(escape_control(line), style=style, markup=False, emoji=False, highlight=False, soft_wrap=True)


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Sequence[str] = ()) -> None:
    """Print rows under a header. The columns in ``numbers`` are right-aligned."""
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(
            Text(escape_control(column)), justify="right" if column in numbers else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*(Text(escape_control(str(cell))) for cell in row))
    (console if console.is_terminal else Console(width=_PIPED_COLUMNS)).print(table)


def show_fields(members: Mapping[str, object]) -> None:
    """Print the members of an object, sorted by their names, those that are not text as JSON."""
    rows = [(name, value if isinstance(value, str) else json.dumps(value)) for name, value in sorted(members.items())]
    show_table(("field", "value"), rows)


def require_yes(*, as_json: bool, yes: bool) -> None:
    """End a command with ``--json`` that would ask for confirmation."""
    if as_json and not yes:
        raise fail("--json requires --yes, because it does not ask for confirmation", 2)


def confirm(question: str, yes: bool) -> None:
    """Ask for confirmation unless ``yes``. Ends the command if the answer is no, or if there is no answer."""
    if yes:
        return
    try:
        is_confirmed = typer.confirm(escape_control(question), err=True)
    except typer.Abort:
        note("")
        raise fail("not confirmed, so nothing was changed; use --yes to skip the question", 2) from None
    if not is_confirmed:
        raise fail("nothing was changed.")


@contextmanager
def show_progress() -> Iterator[Callable[[str], None]]:
    """Yield a function that shows a step: in place on a terminal, otherwise as a line."""
    if not console.is_terminal:
        yield console.print
        return
    with console.status("Starting") as status:
        yield status.update


@contextmanager
def show_status(text: str) -> Iterator[Callable[[str], None]]:
    """Show a status on the standard error if that is a terminal. Yields a function that changes the text."""
    if not error_console.is_terminal:
        yield lambda _: None
        return
    with error_console.status(text) as status:
        yield status.update


def with_progress(items: Iterable[Item], title: str, total: int) -> Iterable[Item]:
    """Iterate over the items, with a progress bar on the standard error if that is a terminal."""
    from rich.progress import track  # noqa: PLC0415 - slow to import, and not always needed

    return track(items, title, total=total, console=error_console, disable=not error_console.is_terminal)
