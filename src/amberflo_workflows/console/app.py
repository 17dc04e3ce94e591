"""The console as an ASGI application."""

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
from amberflo_workflows.console.attention import Watch
from amberflo_workflows.console.guard import SameOriginMiddleware
from amberflo_workflows.console.pages import (
    dead_events,
    execution,
    executions,
    meters,
    overview,
    reconciliations,
    rejected,
    rejected_item,
    rejected_reasons,
    search,
    start,
    tenants,
    usage,
    usage_cancel,
    usage_latest,
    usage_records,
    usage_rules,
)
from amberflo_workflows.console.problems import describe, describe_plainly
from amberflo_workflows.console.state import Console
from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.loopback import LOOPBACK

_STATIC: Final = Path(__file__).parent / "static"
_PAGES: Final = (
    *(overview, executions, execution, start, usage, usage_cancel, usage_rules, usage_latest, usage_records),
    *(meters, tenants, reconciliations, rejected, rejected_reasons, dead_events, rejected_item, search),
)


def create_app(deployment: Deployment, folder: Path, port: int) -> Starlette:
    """Build the console of a deployment. It accepts requests to loopback at ``port``.

    ``folder`` is the folder with the front-end packages.
    """
    token = secrets.token_urlsafe(32)
    hosts = frozenset({f"{LOOPBACK}:{port}", f"localhost:{port}"})
    app = Starlette(
        routes=[
            *(route for module in _PAGES for route in module.ROUTES),
            Route("/packages/{name}", _build_package_route(folder)),
            Mount("/static", StaticFiles(directory=_STATIC)),
        ],
        middleware=[Middleware(SameOriginMiddleware, hosts=hosts, token=token)],
        exception_handlers={
            OperatorError: _handle_operator_error,
            HTTPException: _handle_http_error,
            Exception: _handle_unexpected_error,
        },
    )
    app.state.console = Console(deployment, token)
    app.state.watch = Watch()
    return app


def _build_package_route(folder: Path) -> Callable[[Request], Response]:
    def serve(request: Request) -> Response:
        name = packages.FILES.get(request.path_params["name"])
        if name is None:
            raise HTTPException(404)
        return FileResponse(folder / name, headers={"Cache-Control": "max-age=3600"})

    return serve


def _handle_operator_error(request: Request, error: Exception) -> Response:
    """Render an error that the user can act on."""
    if _is_htmx(request):
        return PlainTextResponse(describe_plainly(error), 400)
    return _render_error(request, 400, describe(error))


def _handle_http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _render_error(request, status, "Page not found.")


def _handle_unexpected_error(request: Request, error: Exception) -> Response:
    if type(error).__module__.startswith("botocore"):
        return _render_error(request, 502, f"AWS: {error}")
    return _render_error(request, 500, "Internal server error. See the console's log.")


def _render_error(request: Request, status: int, message: str) -> Response:
    """An error page, or one line of plain text if htmx requested a part of a page."""
    if _is_htmx(request):
        return PlainTextResponse(message, status)
    return views.render_page(request, "error.html", status, message=message)


def _is_htmx(request: Request) -> bool:
    return "hx-request" in request.headers
