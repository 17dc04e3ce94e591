"""How pages are drawn: Jinja templates, which escape what is put into them, and words for times and outcomes."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from amberflo_workflows.console.state import get_console
from amberflo_workflows.operate.executions.error_causes import error_message, stack_trace
from amberflo_workflows.operate.executions.model import ExecutionSummary, Status

# Each outcome has a sign of its own beside its word and its colour.
SIGNS: Final = {
    Status.RUNNING: "▶",
    Status.SUCCEEDED: "✓",
    Status.FAILED: "✗",
    Status.TIMED_OUT: "⧖",
    Status.ABORTED: "■",
    Status.CAUGHT: "↷",
}
_MINUTE: Final = 60.0
_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def duration(seconds: float | None) -> str:
    """Seconds in words as short as they can be."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def counted(count: int, what: str) -> str:
    """So many of something: ``1 item``, ``2,000 items``."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def lasted(summary: ExecutionSummary) -> float | None:
    """Seconds that an execution took, ``None`` while it runs."""
    return (summary.stopped - summary.started).total_seconds() if summary.stopped else None


def moment(at: datetime | None) -> str:
    """A time in UTC, to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if at else ""


def draw(request: Request, template: str, **values: Any) -> str:
    """A template as text."""
    console = get_console(request)
    return _TEMPLATES.get_template(template).render(
        console=console, path=request.url.path, query=request.query_params, **values
    )


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A template as an answer."""
    return HTMLResponse(draw(request, template, **values), status)


_TEMPLATES.filters.update(
    duration=duration, lasted=lasted, moment=moment, sign=SIGNS.__getitem__, message=error_message, trace=stack_trace
)
_TEMPLATES.globals.update(Status=Status, counted=counted)
