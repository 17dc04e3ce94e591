"""Tables as CSV, for programs and for spreadsheets."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

# A spreadsheet takes a cell that starts like this for a formula, which data of others must not be.
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


def render_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Render a header and a line for each row. Text that a spreadsheet would run as a formula gets an apostrophe."""
    yield _render_line(columns)
    for row in rows:
        yield _render_line([_format_cell(row.get(column)) for column in columns])


def _format_cell(value: Any) -> Any:
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False)
    is_formula = isinstance(value, str) and value.startswith(_FORMULA_STARTS)
    return f"'{value}" if is_formula else value


def _render_line(cells: Sequence[Any]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
