"""Single usages to cancel: read out of a file, and cut into calls of the API."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from amberflo_workflows.core.usage_record import InvalidUsage, build_record
from amberflo_workflows.local.demo.usages import BadFile, Usage
from amberflo_workflows.local.demo.usages import read as read_lines

MOST_RECORDS: Final = 100
# A body may have 258,048 bytes.
LARGEST_CALL_BYTES: Final = 200_000


def read_records(path: Path) -> list[Usage]:
    """The usages of a JSON file (a list, ``{"records": [usage…]}`` or one usage) or of one with a usage a line.

    Raises :class:`BadFile`, also when one of them lacks what it would be found by.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(f"{path} cannot be read: {error}") from None
    usages = _usages(path, text)
    if not usages:
        raise BadFile(f"{path} holds no usages.")
    for number, usage in enumerate(usages, 1):
        _check(path, number, usage)
    return usages


def split_into_calls(usages: Sequence[Usage]) -> Iterator[list[Usage]]:
    """As many usages as one call takes, in their order."""
    call: list[Usage] = []
    room = LARGEST_CALL_BYTES
    for usage in usages:
        size = len(json.dumps(usage)) + 2
        if call and (size > room or len(call) == MOST_RECORDS):
            yield call
            call, room = [], LARGEST_CALL_BYTES
        call.append(usage)
        room -= size
    if call:
        yield call


def _usages(path: Path, text: str) -> list[Any]:
    try:
        found = json.loads(text)
    except RecursionError:
        raise BadFile(f"{path} is nested too deep to hold usages.") from None
    except ValueError:
        if text.lstrip().startswith("{"):
            return read_lines(path)
        raise BadFile(f"{path} is neither JSON nor a file with a JSON object a line.") from None
    if isinstance(found, dict):
        found = found.get("records", [found])
    return found if isinstance(found, list) else []


def _check(path: Path, number: int, usage: Any) -> None:
    try:
        build_record(usage, event_id="", event_time="")
    except InvalidUsage as refusal:
        raise BadFile(f"{path}, usage {number}: {refusal}.") from None
    if usage.get("uniqueId") is None:
        raise BadFile(f"{path}, usage {number}: uniqueId is missing; without it the usage cannot be found.")
