"""The page of the latest usages: whether an event arrived, and what became of it. It starts no execution."""

import time
from datetime import datetime
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from amberflo_workflows.console import live, views
from amberflo_workflows.console.counts import fetch_counts
from amberflo_workflows.console.problems import describe
from amberflo_workflows.console.state import get_console
from amberflo_workflows.core.ledger.receipt import UnreadableObject
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.ledger.latest_usage import MAX_LISTED
from amberflo_workflows.operate.usage_report import format_number

# Each update lists the last receipts and asks for the length of four queues.
POLL_SECONDS: Final = 3.0


def show(request: Request) -> Response:
    """Serve the page with the usages of now."""
    try:
        values, problem = _load_values(request), ""
    except (OperatorError, BotoCoreError, ClientError) as error:
        values, problem = {}, describe(error)
    return views.render_page(request, "usage_latest.html", **values, problem=problem)


def follow(request: Request) -> Response:
    """Stream the usages whenever they change."""
    return live.stream(
        request, lambda: (views.render(request, "usage_latest_live.html", **_load_values(request)), False), POLL_SECONDS
    )


def _load_values(request: Request) -> dict[str, Any]:
    """Read the usages and the counts of the queues. Raises :class:`OperatorError` and botocore's errors."""
    console = get_console(request)
    filters = [request.query_params.get(name, "").strip() for name in ("tenant", "meter")]
    try:
        page = console.latest_usages.read(int(time.time()), *filters)
    except UnreadableObject as error:
        raise OperatorError(str(error)) from None
    return {
        "usages": page.usages,
        "left_out": page.left_out,
        "is_filtered": any(filters),
        "counts": fetch_counts(console),
        "max_listed": MAX_LISTED,
        "format_number": format_number,
        "parse_time": datetime.fromisoformat,
    }


ROUTES: Final = (Route("/usage/latest", show), Route("/live/usage/latest", follow))
