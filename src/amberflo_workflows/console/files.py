"""Files that pages offer to download. They are sent as they are written, so that the first rows arrive at once."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from starlette.responses import Response, StreamingResponse

from amberflo_workflows.operate.csv_text import render_csv


def send_csv(name: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Response:
    """Send rows as a CSV file."""
    return _send(render_csv(columns, rows), "text/csv", f"{name}.csv")


def send_json(name: str, rows: Iterable[Mapping[str, Any]]) -> Response:
    """Send rows as a file with a JSON list, a line for each row."""
    return _send(_render_json(rows), "application/json", f"{name}.json")


def _render_json(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    separator = "[\n"
    for row in rows:
        yield separator + json.dumps(row, ensure_ascii=False)
        separator = ",\n"
    yield "[]\n" if separator == "[\n" else "\n]\n"


def _send(parts: Iterator[str], media_type: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(parts, media_type=media_type, headers=headers)
