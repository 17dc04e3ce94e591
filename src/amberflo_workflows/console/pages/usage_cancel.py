"""Cancellation of usage: the preview of a rule, then its creation and the totals before and after."""

import json
import time
from typing import Any, Final, NamedTuple

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from amberflo_workflows.console import views
from amberflo_workflows.console.forms import FormResult, run_action
from amberflo_workflows.console.state import get_console
from amberflo_workflows.console.usage_query import parse_seconds
from amberflo_workflows.operate.cancellation import CancelEstimate, build_rule, estimate_range
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.usage_report import format_number


class _CancelForm(NamedTuple):
    meter: dict[str, Any]
    start: int
    end: int
    rule: dict[str, Any]


def preview(request: Request) -> Response:
    """Serve the dialog that asks before usage is cancelled, with an estimate of the usage."""
    now = int(time.time())
    values: dict[str, Any] = {"form": None, "estimate": None}

    def load() -> FormResult:
        form = _parse_form(request, now)
        values.update(form=form, estimate=_estimate(request, form, now))
        return FormResult()

    result = run_action(load)
    return _render(request, "usage_cancel_confirm.html", result=result, is_over=_is_over(values["form"], now), **values)


def cancel(request: Request) -> Response:
    """Create the rule, then show the API's response and the totals of the time range before and after."""
    now = int(time.time())
    values: dict[str, Any] = {"rule": "", "changes": None, "form": None}

    def create() -> FormResult:
        form = _parse_form(request, now)
        before = _estimate(request, form, now)
        rule = get_console(request).api.call("DELETE", "usage", body=form.rule)["data"]
        values.update(form=form, rule=json.dumps(rule, indent=2, ensure_ascii=False))
        values["changes"] = before and _build_changes(before, _estimate(request, form, now))
        return FormResult(f"Created rule {form.rule['id']}. It may take hours until Amberflo shows the new totals.")

    return _render(request, "usage_cancel_result.html", result=run_action(create), **values)


def _parse_form(request: Request, now: int) -> _CancelForm:
    """Parse the form. Raises :class:`OperatorError`."""
    params = request.query_params
    start, end = (parse_seconds(name, params.get(name.lower(), ""), now) for name in ("From", "To"))
    if start >= end:
        raise OperatorError("The start of the time range must be before its end.")
    meter = get_console(request).get_meter(params.get("meter", ""))
    rule_id = params.get("rule", "").strip() or None
    # The dialog has it if it has warned that the range ends in the future.
    allow_future = params.get("allow_future") == "true"
    return _CancelForm(
        meter, start, end, build_rule(meter["meterApiName"], start, end, rule_id, allow_future=allow_future)
    )


def _estimate(request: Request, form: _CancelForm, now: int) -> CancelEstimate | None:
    return estimate_range(get_console(request).api, form.meter, form.start, form.end, now)


def _build_changes(before: CancelEstimate, after: CancelEstimate | None) -> list[tuple[str, float, float]]:
    """The total of each tenant, and of all tenants, before and after."""
    totals_after = dict(after.tenants if after else [])
    rows = [(tenant, total, totals_after.get(tenant, 0.0)) for tenant, total in before.tenants]
    return [*rows, ("All tenants", before.total, after.total if after else 0.0)]


def _is_over(form: _CancelForm | None, now: int) -> bool:
    return form is None or form.end <= now


def _render(request: Request, template: str, **values: Any) -> Response:
    return HTMLResponse(views.render(request, template, format_number=format_number, **values))


ROUTES: Final = (Route("/usage/cancel", preview), Route("/usage", cancel, methods=["DELETE"]))
