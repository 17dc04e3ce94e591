"""Cancel usage: what a rule would take away, as far as the API can say; then the rule, and what it changed."""

import json
import time
from typing import Any, Final, NamedTuple

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from amberflo_workflows.console import views
from amberflo_workflows.console.forms import FormResult, attempt
from amberflo_workflows.console.state import get_console
from amberflo_workflows.console.usage_query import seconds
from amberflo_workflows.operate.cancellation import CancelEstimate, build_rule, estimate_range
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.usage_report import format_number, format_time


class _Range(NamedTuple):
    meter: dict[str, Any]
    start: int
    end: int
    rule: dict[str, Any]


def preview(request: Request) -> Response:
    """The question: whose usage goes, as a guess."""
    now = int(time.time())
    values: dict[str, Any] = {"asked": None, "guess": None}

    def look() -> FormResult:
        asked = _asked(request, now)
        values.update(asked=asked, guess=_guess(request, asked, now))
        return FormResult()

    outcome = attempt(look)
    return _drawn(
        request, "usage_cancel_confirm.html", outcome=outcome, is_over=_is_over(values["asked"], now), **values
    )


def cancel(request: Request) -> Response:
    """Make the rule; then tell the answer, and what the API says of the same time before and after."""
    now = int(time.time())
    values: dict[str, Any] = {"rule": "", "changes": None, "asked": None}

    def make() -> FormResult:
        asked = _asked(request, now)
        before = _guess(request, asked, now)
        made = get_console(request).api.call("DELETE", "usage", body=asked.rule)["data"]
        values.update(asked=asked, rule=json.dumps(made, indent=2, ensure_ascii=False))
        values["changes"] = before and _changes(before, _guess(request, asked, now))
        return FormResult(f"The rule {asked.rule['id']} is made. Amberflo may take hours to show it.")

    return _drawn(request, "usage_cancel_done.html", outcome=attempt(make), **values)


def _asked(request: Request, now: int) -> _Range:
    """What the form says. Raises :class:`OperatorError`."""
    given = request.query_params
    start, end = (seconds(name, given.get(name.lower(), ""), now) for name in ("From", "To"))
    if start >= end:
        raise OperatorError("The range must begin before it ends.")
    meter = get_console(request).api.meter(given.get("meter", ""))
    return _Range(
        meter, start, end, build_rule(meter["meterApiName"], start, end, given.get("rule", "").strip() or None)
    )


def _guess(request: Request, asked: _Range, now: int) -> CancelEstimate | None:
    return estimate_range(get_console(request).api, asked.meter, asked.start, asked.end, now)


def _changes(before: CancelEstimate, after: CancelEstimate | None) -> list[tuple[str, float, float]]:
    """Of each tenant, and of all, what the API told before and what it tells now."""
    left = dict(after.tenants if after else [])
    rows = [(tenant, total, left.get(tenant, 0.0)) for tenant, total in before.tenants]
    return [*rows, ("all tenants", before.total, after.total if after else 0.0)]


def _is_over(asked: _Range | None, now: int) -> bool:
    return asked is None or asked.end <= now


def _drawn(request: Request, template: str, **values: Any) -> Response:
    return HTMLResponse(views.draw(request, template, number=format_number, moment_name=format_time, **values))


ROUTES: Final = (Route("/usage/cancel", preview), Route("/usage", cancel, methods=["DELETE"]))
