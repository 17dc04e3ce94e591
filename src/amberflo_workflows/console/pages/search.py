"""The search box of every page: to an execution, or else to the executions that match."""

from typing import Final
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from amberflo_workflows.console.state import get_console


def search(request: Request) -> Response:
    """Redirect to the execution with this name or ARN, else to the list of those with the text in input or error."""
    text = request.query_params.get("q", "").strip()
    arn = get_console(request).executions.find(text) if text else None
    if arn:
        return RedirectResponse(f"/executions/{quote(arn)}", 303)
    return RedirectResponse(f"/executions?{urlencode({'text': text})}" if text else "/executions", 303)


ROUTES: Final = (Route("/search", search),)
