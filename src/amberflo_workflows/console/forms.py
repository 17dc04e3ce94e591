"""Form handlers and their results.

No form field may have the name of a property of an HTML form (``id``, ``action``, ``contains``): scripts that read the
property would get the field instead.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from amberflo_workflows.console.problems import describe
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.rejected.table import ItemChanged

Handler = Callable[[Request, FormData], Response]


@dataclass(frozen=True)
class FormResult:
    """The result of a form: a ``message`` if it succeeded, else the ``problem``.

    ``is_stale`` tells that the item has changed since the form was rendered.
    """

    message: str = ""
    problem: str = ""
    details: Sequence[str] = ()
    is_stale: bool = False


def form_handler(handle: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Wrap a blocking handler of a form as the endpoint of a route."""

    async def handler(request: Request) -> Response:
        form = await request.form()
        return await run_in_threadpool(handle, request, form)

    return handler


def run_action(action: Callable[[], FormResult]) -> FormResult:
    """Run an action; an :class:`OperatorError` becomes the problem of the result."""
    try:
        return action()
    except OperatorError as error:
        return FormResult(problem=describe(error), is_stale=isinstance(error, ItemChanged))


def form_text(form: FormData, name: str) -> str:
    """The value of a text field; empty if the form has no such field."""
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def form_values(form: FormData, name: str) -> list[str]:
    """The values of all fields with a name."""
    return [value for value in form.getlist(name) if isinstance(value, str)]
