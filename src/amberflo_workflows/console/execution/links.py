"""URLs on the page of an execution."""

from collections.abc import Callable
from urllib.parse import quote, urlencode

from amberflo_workflows.console.execution.view import ExecutionView

Link = Callable[..., str]


def build_link(view: ExecutionView) -> Link:
    """Build a function that returns URLs on the page of an execution or item: a part of it, and a query."""

    def link(part: str = "", **query: object) -> str:
        path = f"/executions/{quote(view.arn)}" + (f"/{part}" if part else "")
        params = {"iteration": view.iteration, **query} if view.iteration else query
        return f"{path}?{urlencode(params)}" if params else path

    return link
