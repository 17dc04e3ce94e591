"""Forms that pages send, and what is told of what they did.

No field is named like a member of a form (``id``, ``action``, ``contains``): scripts would get the field instead.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.rejected.table import ItemChanged

Handler = Callable[[Request, FormData], Response]


@dataclass(frozen=True)
class FormResult:
    """What a form did, in a sentence; or the problem. ``is_stale``: what the form was about has changed since."""

    done: str = ""
    problem: str = ""
    details: Sequence[str] = ()
    is_stale: bool = False


def takes_form(handle: Handler) -> Callable[[Request], Awaitable[Response]]:
    """A route's function that is given the form of a request, and may take its time."""

    async def handler(request: Request) -> Response:
        form = await request.form()
        return await run_in_threadpool(handle, request, form)

    return handler


def attempt(act: Callable[[], FormResult]) -> FormResult:
    """What it did; or the problem, where a person can do something about it."""
    try:
        return act()
    except OperatorError as error:
        return FormResult(problem=str(error), is_stale=isinstance(error, ItemChanged))


def text(form: FormData, name: str) -> str:
    """What was typed into a field; empty if there is no such field."""
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def texts(form: FormData, name: str) -> list[str]:
    """The values of all fields of a name."""
    return [value for value in form.getlist(name) if isinstance(value, str)]
