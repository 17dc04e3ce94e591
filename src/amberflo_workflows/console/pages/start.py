"""Start an execution: a workflow, an input, and the way to what comes of it."""

import json
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from amberflo_workflows.console import views
from amberflo_workflows.console.state import Console, get_console
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.executions.examples import example_input
from amberflo_workflows.operate.executions.start import start_execution as begin


def show(request: Request) -> Response:
    """The page, with an example or with the input of an earlier execution."""
    console, given = get_console(request), request.query_params
    names = [machine.workflow for machine in console.executions.machines.all]
    workflow = given.get("workflow") or names[0]
    text = _like(console, given["like"]) if given.get("like") else _example(console, workflow)
    values: dict[str, Any] = {"names": names, "workflow": workflow, "input": text, "like": given.get("like", "")}
    return views.page(request, "start.html", **values)


async def start_execution(request: Request) -> Response:
    """Start it, and lead to its page."""
    async with request.form() as form:
        given = {name: value for name, value in form.items() if isinstance(value, str)}
    arn = await run_in_threadpool(_started, get_console(request), given)
    return Response(headers={"HX-Redirect": f"/executions/{quote(arn)}"})


def _started(console: Console, given: Mapping[str, str]) -> str:
    machine = console.executions.machines.of(given.get("workflow", ""))
    text = _like(console, given["like"]) if given.get("like") else given.get("input", "")
    return begin(console.deployment, machine, text, wait=False).arn


def _like(console: Console, arn: str) -> str:
    text = console.executions.get(arn).input
    if text is None:
        raise OperatorError("The input of that execution is not known.")
    return text


def _example(console: Console, workflow: str) -> str:
    machine = console.executions.machines.of(workflow)
    made: Any = example_input(machine.workflow, console.deployment.outputs, time.time())
    return json.dumps(made, indent=2)


ROUTES: Final = (Route("/start", show), Route("/start", start_execution, methods=["POST"]))
