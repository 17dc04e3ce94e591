"""The event history as rows of a table."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from amberflo_workflows.operate.executions.error_causes import parse_error_message
from amberflo_workflows.operate.executions.model import HistoryEvent

_MAX_LENGTH: Final = 200


@dataclass(frozen=True)
class EventRow:
    """An event, ``seconds`` after the start of the execution; ``about`` and ``details`` are truncated."""

    id: int
    type: str
    at: datetime
    seconds: float
    about: str
    details: str
    is_bad: bool


def build_event_rows(events: Iterable[HistoryEvent], started: datetime) -> Iterator[EventRow]:
    """Build a row for each event."""
    for event in events:
        error = event.details.get("error") or ""
        message = parse_error_message(event.details.get("cause") or "")
        name = str(event.details.get("name") or "")
        about = ": ".join(part for part in (name or error, message) if part)
        rest = {key: value for key, value in event.details.items() if key not in {"name", "error", "cause"}}
        details = json.dumps(rest, default=str, ensure_ascii=False) if rest else ""
        seconds = (event.at - started).total_seconds()
        yield EventRow(event.id, event.type, event.at, seconds, _truncate(about), _truncate(details), bool(error))


def _truncate(text: str) -> str:
    return text if len(text) <= _MAX_LENGTH else f"{text[:_MAX_LENGTH]}…"
