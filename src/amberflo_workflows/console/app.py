"""The console as a web application."""

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from amberflo_workflows.console import packages, views
from amberflo_workflows.console.guard import OwnPagesOnly
from amberflo_workflows.console.pages import (
    dead,
    execution,
    executions,
    overview,
    rejected,
    rejected_item,
    start,
    usage,
    usage_cancel,
)
from amberflo_workflows.console.state import Console
from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.loopback import LOOPBACK

_STATIC: Final = Path(__file__).parent / "static"
_PAGES: Final = (overview, executions, execution, start, usage, usage_cancel, rejected, dead, rejected_item)


def application(deployment: Deployment, folder: Path, port: int) -> Starlette:
    """The console of a deployment, at a port of loopback; ``folder`` holds the front-end packages."""
    token = secrets.token_urlsafe(32)
    hosts = frozenset({f"{LOOPBACK}:{port}", f"localhost:{port}"})
    app = Starlette(
        routes=[
            *(route for module in _PAGES for route in module.ROUTES),
            Route("/packages/{name}", _package(folder)),
            Mount("/static", StaticFiles(directory=_STATIC)),
        ],
        middleware=[Middleware(OwnPagesOnly, hosts=hosts, token=token)],
        exception_handlers={OperatorError: _told, HTTPException: _no_page, Exception: _broken},
    )
    app.state.console = Console(deployment, token)
    return app


def _package(folder: Path) -> Callable[[Request], Response]:
    def serve(request: Request) -> Response:
        name = packages.FILES.get(request.path_params["name"])
        if name is None:
            raise HTTPException(404)
        return FileResponse(folder / name, headers={"Cache-Control": "max-age=3600"})

    return serve


def _told(request: Request, error: Exception) -> Response:
    """What a person can mend, in the words that the command line has for it."""
    return _problem(request, 400, str(error))


def _no_page(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _problem(request, status, "There is no such page.")


def _broken(request: Request, error: Exception) -> Response:
    if type(error).__module__.startswith("botocore"):
        return _problem(request, 502, f"AWS: {error}")
    return _problem(request, 500, "The console failed; its log tells why.")


def _problem(request: Request, status: int, message: str) -> Response:
    """As a page, or as the one line that a page shows which asked for a part."""
    if "hx-request" in request.headers:
        return PlainTextResponse(message, status)
    return views.page(request, "error.html", status, message=message)
