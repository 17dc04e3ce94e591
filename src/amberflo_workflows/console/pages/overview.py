"""The overview: what needs a person, today's usage, and each workflow's executions of the last hour."""

import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from amberflo_workflows.console import live, views
from amberflo_workflows.console.activity import SPAN, Activity, build_activity
from amberflo_workflows.console.counts import fetch_counts
from amberflo_workflows.console.execution.graph_data import build_graph_data
from amberflo_workflows.console.problems import describe
from amberflo_workflows.console.state import Console, get_console
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.usage_report import fetch_all_usage

# At most this many executions per workflow are counted, so that the page loads within a second.
MAX_COUNTED: Final = 900
# The rows of the table of usage: more would hide what is below it.
MAX_METERS: Final = 50
# The responses that an update reads for each workflow, and caches: the first one is for the page to be quick.
MAX_READS: Final = 50
# Each update makes one request per workflow, and AWS limits the request rate.
POLL_SECONDS: Final = 5.0
_MAX_WORKERS: Final = 4
# The values of the button that loads the usage
_LOAD: Final[dict[str, Any]] = {
    "load_url": "/overview/meters",
    "load_target": "#usage-today",
    "load_remark": "This starts an execution of list_usage, and one of list_meters.",
}


def show(request: Request) -> Response:
    machines = get_console(request).executions.machines
    graphs = {machine.workflow: json.dumps(build_graph_data(machine.graph)) for machine in machines.all}
    return views.render_page(request, "overview.html", **_load_values(request), **_LOAD, graphs=graphs, problem="")


def follow(request: Request) -> Response:
    """Stream what needs attention and the numbers whenever they change."""

    def render() -> tuple[live.Html, bool]:
        values = _load_values(request, MAX_READS)
        parts = {"concerns": "overview_concerns.html", "message": "overview_live.html"}
        return {name: views.render(request, template, **values) for name, template in parts.items()}, False

    return live.stream(request, render, POLL_SECONDS)


def show_meters(request: Request) -> Response:
    """Serve today's usage, of all tenants, or why it cannot be read. It takes an execution, so it is on request."""
    console, now = get_console(request), datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    time_range = int(midnight.timestamp()), int(now.timestamp()) + 1
    try:
        usages = fetch_all_usage(console.api, console.meters.list(), time_range, "DAY", {})
    except OperatorError as error:
        return HTMLResponse(views.render(request, "usage_load.html", **_LOAD, problem=describe(error)))
    # The sort is stable: meters with usage come first, each part by name.
    usages.sort(key=lambda usage: not usage.total)
    values = {"usages": usages[:MAX_METERS], "more": max(len(usages) - MAX_METERS, 0)}
    return HTMLResponse(views.render(request, "overview_meters.html", **values))


def _load_values(request: Request, max_reads: int = 0) -> dict[str, Any]:
    console = get_console(request)
    counts, activities = fetch_counts(console), _load_activities(console, max_reads)
    watch = request.app.state.watch
    return {
        "counts": counts,
        "activities": activities,
        "concerns": watch.list_concerns(console, counts, activities, time.monotonic()),
        "reconciliation": watch.reconciliation,
        "max_counted": MAX_COUNTED,
    }


def _load_activities(console: Console, max_reads: int) -> Sequence[Activity]:
    """The activity of every workflow: the one with most failures first, then the one with most executions."""
    now = datetime.now(UTC)

    def load(workflow: str) -> Activity:
        summaries = console.executions.list_recent(workflow, now - SPAN, MAX_COUNTED, max_reads)
        return build_activity(workflow, summaries, now)

    with ThreadPoolExecutor(_MAX_WORKERS) as pool:
        activities = list(pool.map(load, [machine.workflow for machine in console.executions.machines.all]))
    return sorted(activities, key=lambda activity: (-activity.bad, -activity.total, activity.workflow))


ROUTES: Final = (
    Route("/", show),
    Route("/overview/meters", show_meters),
    Route("/live/overview", follow),
)
