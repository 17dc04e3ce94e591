"""Page rendering with Jinja templates, which escape all values, and formats for times and statuses."""

from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from amberflo_workflows.console.state import get_console
from amberflo_workflows.console.times import render_time, render_zone
from amberflo_workflows.operate.executions.content import describe_response_status
from amberflo_workflows.operate.executions.error_causes import parse_error_message, parse_stack_trace
from amberflo_workflows.operate.executions.model import ExecutionSummary, Status
from amberflo_workflows.operate.usage_report import format_number

# A sign for each status, so that colour is not the only difference.
SIGNS: Final = {
    Status.RUNNING: "▶",
    Status.SUCCEEDED: "✓",
    Status.FAILED: "✗",
    Status.TIMED_OUT: "⧖",
    Status.ABORTED: "■",
    Status.CAUGHT: "↷",
}
# For a response such as 404. The second character asks for a plain sign, not a coloured picture.
ERROR_RESPONSE_SIGN: Final = "⚠\ufe0e"
_MINUTE: Final = 60.0
_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def format_duration(seconds: float | None) -> str:
    """Format seconds in a short form: ``250 ms``, ``1.5 s``, ``2 min 5 s``, ``1 h 3 min``."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def format_count(count: int, noun: str) -> str:
    """Format a count with its noun: ``1 item``, ``2,000 items``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def format_outcome(summary: ExecutionSummary) -> str:
    """Format the status and, if it is known, that of the response: ``succeeded · 404 Not Found``."""
    if summary.response_status is None:
        return summary.status.value
    return f"{summary.status.value} · {describe_response_status(summary.response_status)}"


def execution_seconds(summary: ExecutionSummary) -> float | None:
    """The duration of an execution in seconds, ``None`` while it runs."""
    return (summary.stopped - summary.started).total_seconds() if summary.stopped else None


def render(request: Request, template: str, **values: Any) -> str:
    """Render a template to text."""
    console = get_console(request)
    return _TEMPLATES.get_template(template).render(
        console=console, path=request.url.path, query=request.query_params, **values
    )


def render_page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Render a template as a response."""
    return HTMLResponse(render(request, template, **values), status)


_TEMPLATES.filters.update(
    duration=format_duration,
    number=format_number,
    execution_seconds=execution_seconds,
    time=render_time,
    sign=SIGNS.__getitem__,
    outcome=format_outcome,
    response_status=describe_response_status,
    error_message=parse_error_message,
    stack_trace=parse_stack_trace,
)
_TEMPLATES.globals.update(
    Status=Status, ERROR_RESPONSE_SIGN=ERROR_RESPONSE_SIGN, format_count=format_count, render_zone=render_zone
)
