"""Errors on pages: where the command line names a command, the console has a link."""

from typing import Final
from urllib.parse import quote

from markupsafe import Markup, escape

from amberflo_workflows.operate.errors import OperatorError

_SHOW_EXECUTION: Final = "executions show "
_PAGES: Final = {
    "executions list": ("/executions", "List executions"),
    "rejected list --all": ("/rejected?status=all", "List rejected usage"),
}


def describe_plainly(error: Exception) -> str:
    """Return the message of an error as text, without what to see."""
    return error.message if isinstance(error, OperatorError) else str(error)


def describe(error: Exception) -> Markup:
    """Return the message of an error as HTML, with a link to what to see."""
    if not isinstance(error, OperatorError):
        return escape(str(error))
    if error.see.startswith(_SHOW_EXECUTION):
        arn = quote(error.see.removeprefix(_SHOW_EXECUTION), safe="")
        url, text = f"/executions/{arn}", "Open the execution"
    elif error.see in _PAGES:
        url, text = _PAGES[error.see]
    else:
        return escape(str(error))
    return Markup('{} <a href="{}">{}</a>').format(error.message, url, text)
