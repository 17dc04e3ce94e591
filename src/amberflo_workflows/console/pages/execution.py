"""The page of one execution: its graph, its timeline and its states, updated while it runs."""

import json
from collections.abc import Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from amberflo_workflows.console import live, views
from amberflo_workflows.console.execution.events import KINDS, ORDERS
from amberflo_workflows.console.execution.graph_data import build_graph_data, build_outcomes
from amberflo_workflows.console.execution.links import build_link
from amberflo_workflows.console.execution.shell import as_aws_cli, as_curl
from amberflo_workflows.console.execution.state_table import build_state_rows
from amberflo_workflows.console.execution.versions import find_key_versions
from amberflo_workflows.console.execution.view import ExecutionView, build_view, load_view
from amberflo_workflows.console.pages import execution_control, execution_history
from amberflo_workflows.console.pages import execution_parts as parts
from amberflo_workflows.console.state import Console, get_console
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.executions.model import Status
from amberflo_workflows.operate.executions.reader import NoSuchExecution


def show(request: Request) -> Response:
    console = get_console(request)
    try:
        view = load_view(request, fresh=True)
    except NoSuchExecution:
        # An execution whose history is only in a log becomes visible some time after it started.
        if console.executions.machines.get_by_execution(request.path_params["arn"]).keeps_history:
            raise
        return views.render_page(request, "execution_pending.html", arn=request.path_params["arn"])
    values = {
        **_build_live_values(console, view),
        "graph": json.dumps(build_graph_data(view.graph)),
        "commands": _build_commands(console, view),
        "panel": parts.render_panel(request, view),
        "is_on_aws": console.is_on_aws,
        "event_kinds": KINDS,
        "event_orders": ORDERS,
    }
    return views.render_page(request, "execution.html", **values)


def follow(request: Request) -> Response:
    """Stream the live part of the page until the execution has ended."""
    console, arn = get_console(request), request.path_params["arn"]
    updates = console.executions.follow(arn)

    def render() -> tuple[str, bool]:
        execution = next(updates)
        view = build_view(console, execution, request.query_params.get("iteration", ""))
        html = views.render(request, "execution_live.html", **_build_live_values(console, view))
        return html, execution.summary.status is not Status.RUNNING or not view.is_running

    return live.stream(request, render)


def check_known(request: Request) -> Response:
    """Reload the page as soon as the execution is in its log."""
    try:
        get_console(request).executions.get(request.path_params["arn"])
    except NoSuchExecution:
        return Response(status_code=204)
    return HTMLResponse("", headers={"HX-Refresh": "true"})


def _build_live_values(console: Console, view: ExecutionView) -> dict[str, Any]:
    execution = view.execution
    outcomes = build_outcomes(view.graph, execution.states)
    return {
        "view": view,
        "summary": execution.summary,
        "link": build_link(view),
        "outcomes": json.dumps(outcomes),
        "states": build_state_rows(view, outcomes["states"]),
        "is_express": console.executions.machines.get(execution.summary.workflow).is_express,
        "key_versions": find_key_versions(execution),
        **parts.build_first_parts(view),
    }


def _build_commands(console: Console, view: ExecutionView) -> Sequence[tuple[str, str, str]]:
    """The id, name and text of each shell command that starts the execution again."""
    text, workflow = view.execution.input, view.execution.summary.workflow
    if text is None or view.is_item:
        return ()
    machine = console.executions.machines.get(workflow)
    commands = [("as-aws-cli", "AWS CLI", as_aws_cli(console.deployment, machine, text))]
    try:
        curl = as_curl(console.deployment.api_endpoint, workflow, text)
    except OperatorError:
        # A stack that is attached to another API has no API of its own.
        curl = None
    return [("as-curl", "curl", curl), *commands] if curl else commands


_ARN: Final = "/executions/{arn:path}"
ROUTES: Final = (
    *parts.ROUTES,
    *execution_history.ROUTES,
    *execution_control.ROUTES,
    Route(f"/live{_ARN}", follow),
    Route(f"{_ARN}/known", check_known),
    Route(_ARN, show),
)
