"""The page that starts an execution: choose a workflow, edit an input, then open the execution's page."""

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
from amberflo_workflows.operate.executions.examples import build_example_input
from amberflo_workflows.operate.executions.start import start_execution


def show(request: Request) -> Response:
    """Serve the page, with an example input or with the input of another execution."""
    console, params = get_console(request), request.query_params
    names = [machine.workflow for machine in console.executions.machines.all]
    workflow = params.get("workflow") or names[0]
    text = _load_input(console, params["like"]) if params.get("like") else _build_example(console, workflow)
    values: dict[str, Any] = {"names": names, "workflow": workflow, "input": text, "like": params.get("like", "")}
    return views.render_page(request, "start.html", **values)


async def start(request: Request) -> Response:
    """Start the execution and redirect to its page."""
    async with request.form() as form:
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
    arn = await run_in_threadpool(_start, get_console(request), fields)
    return Response(headers={"HX-Redirect": f"/executions/{quote(arn)}"})


def _start(console: Console, fields: Mapping[str, str]) -> str:
    machine = console.executions.machines.get(fields.get("workflow", ""))
    text = _load_input(console, fields["like"]) if fields.get("like") else fields.get("input", "")
    return start_execution(console.deployment, machine, text, wait=False).arn


def _load_input(console: Console, arn: str) -> str:
    text = console.executions.get(arn).input
    if text is None:
        raise OperatorError("The input of that execution is not available.")
    return text


def _build_example(console: Console, workflow: str) -> str:
    machine = console.executions.machines.get(workflow)
    example: Any = build_example_input(machine.workflow, console.deployment.outputs, time.time())
    return json.dumps(example, indent=2)


ROUTES: Final = (Route("/start", show), Route("/start", start, methods=["POST"]))
