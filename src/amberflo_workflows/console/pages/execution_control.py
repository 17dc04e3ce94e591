"""Stop an execution, or continue one that has failed."""

from typing import Final

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from amberflo_workflows.console.execution.view import forget_execution
from amberflo_workflows.console.forms import form_handler, form_text
from amberflo_workflows.console.state import get_console
from amberflo_workflows.operate.executions import control

# The page shows how the execution goes on.
_RELOAD: Final = {"HX-Refresh": "true"}


def stop(request: Request, form: FormData) -> Response:
    console, arn = get_console(request), request.path_params["arn"]
    control.stop_execution(console.deployment, console.executions, arn, form_text(form, "cause").strip())
    return Response(headers=_RELOAD)


def redrive(request: Request, _form: FormData) -> Response:
    console, arn = get_console(request), request.path_params["arn"]
    control.redrive_execution(console.deployment, console.executions, arn)
    forget_execution(arn)
    return Response(headers=_RELOAD)


_ARN: Final = "/executions/{arn:path}"
ROUTES: Final = (
    Route(f"{_ARN}/stop", form_handler(stop), methods=["POST"]),
    Route(f"{_ARN}/redrive", form_handler(redrive), methods=["POST"]),
)
