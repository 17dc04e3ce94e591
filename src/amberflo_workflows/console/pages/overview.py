"""Where one begins: what each workflow did in the last hour, what waits, and today's usage."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from amberflo_workflows.console import live, views
from amberflo_workflows.console.activity import SPAN, Activity, activity
from amberflo_workflows.console.counts import counts
from amberflo_workflows.console.execution.drawing import drawing
from amberflo_workflows.console.state import Console, get_console
from amberflo_workflows.operate import usage_report
from amberflo_workflows.operate.errors import OperatorError

# More are not counted: a page has to be there within a second.
MOST_COUNTED: Final = 900
MOST_METERS: Final = 20
# Each look costs a call for each workflow, of which AWS allows few.
LOOK_SECONDS: Final = 5.0
_AT_ONCE: Final = 4


class MeterToday(NamedTuple):
    """A meter and what was used of it since midnight UTC; ``problem`` if that could not be told."""

    meter: dict[str, Any]
    usage: str
    problem: str = ""


def show(request: Request) -> Response:
    """The page."""
    machines = get_console(request).executions.machines
    drawings = {machine.workflow: json.dumps(drawing(machine.graph)) for machine in machines.all}
    return views.page(request, "overview.html", **_looked(request), drawings=drawings)


def follow(request: Request) -> Response:
    """The numbers whenever they change."""
    return live.stream(
        request, lambda: (views.draw(request, "overview_live.html", **_looked(request)), False), LOOK_SECONDS
    )


def meters(request: Request) -> Response:
    """Today's usage, which takes a query for each meter and is therefore asked for once, after the page is there."""
    console = get_console(request)
    found = list(console.api.meters())
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        today = list(pool.map(lambda meter: _today(console, meter), found[:MOST_METERS]))
    values = {"meters": today, "more": max(len(found) - MOST_METERS, 0)}
    return HTMLResponse(views.draw(request, "overview_meters.html", **values))


def _looked(request: Request) -> dict[str, Any]:
    console = get_console(request)
    return {"counts": counts(console), "activities": _activities(console), "most_counted": MOST_COUNTED}


def _activities(console: Console) -> Sequence[Activity]:
    """Of every workflow: first those that failed, then those that did most."""
    now = datetime.now(UTC)

    def of(workflow: str) -> Activity:
        return activity(workflow, console.executions.recent(workflow, now - SPAN, MOST_COUNTED), now)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(of, [machine.workflow for machine in console.executions.machines.all]))
    return sorted(found, key=lambda one: (-one.bad, -one.total, one.workflow))


def _today(console: Console, meter: dict[str, Any]) -> MeterToday:
    now = datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    between = int(midnight.timestamp()), int(now.timestamp()) + 1
    try:
        usage = usage_report.fetch_usage(console.api, meter, between, "DAY", {})
    except OperatorError as error:
        return MeterToday(meter, "", str(error))
    return MeterToday(meter, usage_report.format_number(sum(group.total for group in usage.groups)))


ROUTES: Final = (
    Route("/", show),
    Route("/overview/meters", meters),
    Route("/live/overview", follow),
)
