"""One execution: its graph, its timeline, its states in full; live while it runs."""

import json
from collections.abc import Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from amberflo_workflows.console import live, views
from amberflo_workflows.console.execution.drawing import drawing, outcomes
from amberflo_workflows.console.execution.shell import as_aws_cli, as_curl
from amberflo_workflows.console.execution.subject import Subject, about, subject
from amberflo_workflows.console.execution.versions import key_versions
from amberflo_workflows.console.pages import execution_parts as parts
from amberflo_workflows.console.state import Console, get_console
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.executions.model import Status
from amberflo_workflows.operate.executions.reader import NoSuchExecution


def show(request: Request) -> Response:
    """The page."""
    console = get_console(request)
    try:
        found = subject(request, fresh=True)
    except NoSuchExecution:
        # What is read from a log is known some time after it began.
        if console.executions.machines.of_execution(request.path_params["arn"]).keeps_history:
            raise
        return views.page(request, "execution_awaited.html", arn=request.path_params["arn"])
    values = {
        **_live_values(found),
        "drawing": json.dumps(drawing(found.graph)),
        "commands": _commands(console, found),
        "panel": parts.panel(request, found),
        "runs_on_aws": console.is_on_aws,
    }
    return views.page(request, "execution.html", **values)


def follow(request: Request) -> Response:
    """What changes on the page, until the execution has ended."""
    console, arn = get_console(request), request.path_params["arn"]
    steps = console.executions.follow(arn)

    def look() -> tuple[str, bool]:
        execution = next(steps)
        found = about(console, execution, request.query_params.get("iteration", ""))
        html = views.draw(request, "execution_live.html", **_live_values(found))
        return html, execution.summary.status is not Status.RUNNING or not found.is_running

    return live.stream(request, look)


def is_known(request: Request) -> Response:
    """Loads the page anew as soon as its execution is known."""
    try:
        get_console(request).executions.get(request.path_params["arn"])
    except NoSuchExecution:
        return Response(status_code=204)
    return HTMLResponse("", headers={"HX-Refresh": "true"})


def _live_values(found: Subject) -> dict[str, Any]:
    execution = found.execution
    return {
        "found": found,
        "summary": execution.summary,
        "link": parts.link_of(found),
        "outcomes": json.dumps(outcomes(found.graph, execution.states)),
        "key_versions": key_versions(execution),
        **parts.first_parts(found),
    }


def _commands(console: Console, found: Subject) -> Sequence[tuple[str, str, str]]:
    """Id, name and text of each command that starts it again."""
    text, workflow = found.execution.input, found.execution.summary.workflow
    if text is None or found.is_part:
        return ()
    machine = console.executions.machines.of(workflow)
    commands = [("as-aws-cli", "AWS CLI", as_aws_cli(console.deployment, machine, text))]
    try:
        curl = as_curl(console.deployment.api_endpoint, workflow, text)
    except OperatorError:
        # A stack that is attached to another's API has none of its own.
        curl = None
    return [("as-curl", "curl", curl), *commands] if curl else commands


_ARN: Final = "/executions/{arn:path}"
ROUTES: Final = (
    *parts.ROUTES,
    Route(f"/live{_ARN}", follow),
    Route(f"{_ARN}/known", is_known),
    Route(_ARN, show),
)
