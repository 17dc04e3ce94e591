"""The pages of reconciliations: the latest ones, a form that starts one, and one with the hours that differ."""

import time
from collections.abc import Mapping
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from amberflo_workflows.console import live, views
from amberflo_workflows.console.counts import format_limited
from amberflo_workflows.console.difference_rows import DifferenceRow, build_rows
from amberflo_workflows.console.forms import form_handler, form_text
from amberflo_workflows.console.problems import describe
from amberflo_workflows.console.state import Console, get_console
from amberflo_workflows.console.usage_query import format_field, parse_seconds
from amberflo_workflows.core.ledger.comparison import OUTCOMES
from amberflo_workflows.core.ledger.layout import HOUR_SECONDS, start_of_hour
from amberflo_workflows.core.waiting_usage import MAX_REJECTED
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.ledger.reconciliation import OUTCOME_WORDS, start_reconciliation
from amberflo_workflows.operate.ledger.reconciliation_runs import ReconciliationRun, list_runs, read_run
from amberflo_workflows.operate.usage_report import format_number, format_time

MAX_LISTED: Final = 50
# A reconciliation of months can run for hours; a page that nobody looks at stops asking.
FOLLOW_SECONDS: Final = 1800.0
_DEFAULT_HOURS: Final = 24


def show(request: Request) -> Response:
    """Serve the list and the form."""
    end = start_of_hour(int(time.time()) - 1) + HOUR_SECONDS
    values: dict[str, Any] = {
        "runs": list_runs(get_console(request).executions, MAX_LISTED),
        "since": format_field(end - _DEFAULT_HOURS * HOUR_SECONDS)[:16],
        "until": format_field(end)[:16],
        "max_listed": MAX_LISTED,
    }
    return views.render_page(request, "reconciliations.html", **values, **_FORMATS)


def start(request: Request, form: FormData) -> Response:
    """Start a reconciliation and redirect to its page, or say why it was not started."""
    try:
        api = get_console(request).api
        fields = {name: form_text(form, name).strip() for name in ("from", "to", "meter", "tenant")}
        body: dict[str, Any] = _parse_range(fields)
        if fields["meter"]:
            body["meterApiName"] = get_console(request).get_meter(fields["meter"])["meterApiName"]
        if fields["tenant"]:
            body["tenantId"] = fields["tenant"]
        operation = start_reconciliation(api, get_console(request).deployment, body)
    except OperatorError as error:
        return HTMLResponse(views.render(request, "reconciliation_problem.html", problem=describe(error)))
    return Response(headers={"HX-Redirect": f"/reconciliations/{operation.id}"})


def show_one(request: Request) -> Response:
    """Serve the page of a reconciliation."""
    run = _read(request)
    return views.render_page(request, "reconciliation.html", **_build_values(request, run), **_FORMATS)


def follow(request: Request) -> Response:
    """Stream the reconciliation until it has ended, or until the page has been open for too long."""
    run = _read(request)
    give_up_at = time.monotonic() + FOLLOW_SECONDS

    def render() -> tuple[str, bool]:
        nonlocal run
        problem = ""
        try:
            run = _read(request)
        except OperatorError as error:
            problem = describe(error)
        except (BotoCoreError, ClientError) as error:
            problem = f"AWS: {error}"
        is_late = time.monotonic() > give_up_at
        values = {**_build_values(request, run), "problem": problem, "is_late": is_late}
        html = views.render(request, "reconciliation_live.html", **values, **_FORMATS)
        return html, is_late or not run.is_running

    return live.stream(request, render)


def _read(request: Request) -> ReconciliationRun:
    return read_run(get_console(request).executions, request.path_params["id"])


def _build_values(request: Request, run: ReconciliationRun) -> dict[str, Any]:
    console = get_console(request)
    rows, problem = _build_rows(console, run)
    seconds = views.execution_seconds(run.summary)
    return {
        "run": run,
        "rows": rows,
        "meters_problem": problem,
        "seconds": time.time() - run.summary.started.timestamp() if seconds is None else seconds,
        "problem": "",
        "is_late": False,
    }


def _build_rows(console: Console, run: ReconciliationRun) -> tuple[list[DifferenceRow], str]:
    """Return the rows of the hours that differ, and why they have no links if the meters cannot be read."""
    if not run.result or not run.result.differences:
        return [], ""
    try:
        meters = {meter["meterApiName"] for meter in console.meters.list()}
    except OperatorError as error:
        return build_rows(run.result.differences, None), describe(error)
    return build_rows(run.result.differences, meters), ""


def _parse_range(fields: Mapping[str, str]) -> dict[str, int]:
    """Parse the range, which has full hours. Raises :class:`OperatorError`."""
    now = int(time.time())
    start, end = (parse_seconds(name, fields[name.lower()], now) for name in ("From", "To"))
    for name, seconds in (("From", start), ("To", end)):
        if seconds % HOUR_SECONDS:
            raise OperatorError(f"{name}: a full hour is required, such as {format_time(start_of_hour(seconds))[:16]}.")
    if start >= end:
        raise OperatorError("The start of the time range must be before its end.")
    return {"startTimeInSeconds": start, "endTimeInSeconds": end}


def _format_hour(seconds: int) -> str:
    """Format epoch seconds as UTC, to the minute."""
    return format_time(seconds)[:16]


_FORMATS: Final[Mapping[str, Any]] = {
    "format_hour": _format_hour,
    "format_limited": format_limited,
    "format_number": format_number,
    "max_rejected": MAX_REJECTED,
    "outcomes": OUTCOMES,
    "words": OUTCOME_WORDS,
}
ROUTES: Final = (
    Route("/reconciliations", show),
    Route("/reconciliations", form_handler(start), methods=["POST"]),
    Route("/reconciliations/{id}", show_one),
    Route("/live/reconciliations/{id}", follow),
)
