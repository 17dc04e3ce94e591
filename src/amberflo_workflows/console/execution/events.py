"""The event history as rows of a table: filtered, sorted, each with all its details."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.executions.error_causes import parse_error_message
from amberflo_workflows.operate.executions.model import HistoryEvent

_MAX_PREVIEW: Final = 160
# Longer details are loaded when their row is expanded.
_MAX_INLINE: Final = 4_000
KINDS: Final = {"": "All", "errors": "Errors", "states": "States", "tasks": "Tasks"}
ORDERS: Final = {"": "Oldest first", "newest": "Newest first"}


@dataclass(frozen=True)
class EventRow:
    """An event, ``seconds`` after the start of the execution; ``about`` and ``preview`` are truncated.

    ``details`` are all its members as JSON; ``None`` if they are too long for the page.
    """

    id: int
    type: str
    at: datetime
    seconds: float
    about: str
    preview: str
    details: str | None
    is_bad: bool


@dataclass(frozen=True)
class EventFilter:
    """Which events to show, and in which order."""

    text: str = ""
    kind: str = ""
    order: str = ""

    @classmethod
    def parse(cls, params: Mapping[str, str]) -> "EventFilter":
        """Parse the parameters of a request. Raises :class:`OperatorError`."""
        parsed = cls(*(params.get(name, "").strip() for name in cls.__dataclass_fields__))
        for value, known in ((parsed.kind, KINDS), (parsed.order, ORDERS)):
            if value not in known:
                raise OperatorError(f"Unknown value '{value}'. Valid values: {', '.join(filter(None, known))}.")
        return parsed

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters, without empty ones."""
        return {name: value for name, value in vars(self).items() if value}

    def apply(self, events: Sequence[HistoryEvent]) -> Sequence[HistoryEvent]:
        """Return the events that match, in the order of the filter."""
        text = self.text.casefold()
        matching = [event for event in events if self._is_of_kind(event) and (not text or text in _search_text(event))]
        return matching[::-1] if self.order == "newest" else matching

    def _is_of_kind(self, event: HistoryEvent) -> bool:
        if self.kind == "errors":
            return is_error(event)
        if self.kind == "states":
            return event.type.endswith(("StateEntered", "StateExited"))
        if self.kind == "tasks":
            return event.type.startswith(("Task", "LambdaFunction", "Activity")) and "State" not in event.type
        return True


def build_event_rows(events: Iterable[HistoryEvent], started: datetime) -> Iterator[EventRow]:
    """Build a row for each event."""
    for event in events:
        error = event.details.get("error") or ""
        message = parse_error_message(event.details.get("cause") or "")
        name = str(event.details.get("name") or "")
        about = ": ".join(part for part in (name or error, message) if part)
        rest = {key: value for key, value in event.details.items() if key not in {"name", "error", "cause"}}
        preview = _format(rest) if rest else ""
        details = format_details(event)
        yield EventRow(
            id=event.id,
            type=event.type,
            at=event.at,
            seconds=(event.at - started).total_seconds(),
            about=_truncate(about),
            preview=_truncate(preview),
            details=details if len(details) <= _MAX_INLINE else None,
            is_bad=is_error(event),
        )


def format_details(event: HistoryEvent) -> str:
    """Format all members of an event as JSON. Those that are JSON text, such as the input, are in it unchanged."""
    members: dict[str, Any] = {"id": event.id, "type": event.type, "timestamp": event.at.isoformat()}
    if event.previous:
        members["previousEventId"] = event.previous
    texts = [f"{_format(name)}: {_as_json(value)}" for name, value in {**members, **event.details}.items()]
    return f"{{{', '.join(texts)}}}"


def is_error(event: HistoryEvent) -> bool:
    """Whether an event is about an error."""
    return bool(event.details.get("error")) or event.type.endswith(("Failed", "TimedOut", "Aborted"))


def _search_text(event: HistoryEvent) -> str:
    return f"{event.id} {event.type} {_format(event.details)}".casefold()


def _as_json(value: Any) -> str:
    """Return a value as JSON; a text that is JSON of an object or a list is it already."""
    if isinstance(value, str) and value[:1] in {"{", "["}:
        try:
            json.loads(value)
        except (ValueError, RecursionError):
            return _format(value)
        return value
    return _format(value)


def _format(value: Any) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


def _truncate(text: str) -> str:
    return text if len(text) <= _MAX_PREVIEW else f"{text[:_MAX_PREVIEW]}…"
