"""Times on pages: elements with the time in UTC, which ``times.js`` changes to local or relative time on request."""

from datetime import UTC, datetime
from typing import Final, Literal

from markupsafe import Markup

Form = Literal["seconds", "zoned", "minutes", "clock"]

_FORMATS: Final[dict[Form, str]] = {
    "seconds": "%Y-%m-%d %H:%M:%S",
    # For a time in a sentence; in a table the head of the column names the time zone.
    "zoned": "%Y-%m-%d %H:%M:%S UTC",
    "minutes": "%Y-%m-%d %H:%M",
    # For times within one execution.
    "clock": "%H:%M:%S.%f",
}


def format_time(at: datetime, form: Form = "seconds") -> str:
    """Format a time in UTC."""
    text = at.astimezone(UTC).strftime(_FORMATS[form])
    return text[:-3] if form == "clock" else text


def render_time(at: datetime | float, form: Form = "seconds") -> Markup:
    """Render a time, or epoch seconds, as an element that shows the time zone or age that the reader has chosen."""
    time = at if isinstance(at, datetime) else datetime.fromtimestamp(at, UTC)
    iso = time.astimezone(UTC).isoformat(timespec="milliseconds")
    return Markup('<time datetime="{}" data-form="{}" title="{}">{}</time>').format(
        iso, form, format_time(time, "zoned"), format_time(time, form)
    )


def render_zone() -> Markup:
    """Render the name of the time zone of the times on the page, such as for the head of a column."""
    return Markup("<span data-zone>UTC</span>")
