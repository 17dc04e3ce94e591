"""The option ``--csv``, and how the commands print CSV."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer

from amberflo_workflows.cli.output import escape_control, fail
from amberflo_workflows.operate.csv_text import render_csv

Csv = Annotated[bool, typer.Option("--csv", help="Print CSV, for spreadsheets.")]


def reject_two_formats(as_json: bool, as_csv: bool) -> None:
    """Fail if a command shall print both JSON and CSV."""
    if as_json and as_csv:
        raise fail("use --json or --csv, not both", 2)


def print_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Print rows as CSV. Only a terminal gets control characters escaped; a file has the data unchanged."""
    for line in render_csv(columns, rows):
        print(escape_control(line.removesuffix("\n")) if sys.stdout.isatty() else line.removesuffix("\n"))
