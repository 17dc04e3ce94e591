"""The page of the rules that cancel usage, which can be undone."""

from datetime import datetime
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from amberflo_workflows.console import views
from amberflo_workflows.console.forms import FormResult, form_handler, form_text, run_action
from amberflo_workflows.console.problems import describe
from amberflo_workflows.console.state import get_console
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.ledger.cancellation_rules import build_undo, find_rule, is_undone, list_rules


def show(request: Request) -> Response:
    return views.render_page(request, "usage_rules.html", **_load_rules(request))


def confirm(request: Request) -> Response:
    """Serve the dialog that asks before a rule is undone."""
    rule = find_rule(get_console(request).deployment, request.query_params.get("id", ""))
    return HTMLResponse(views.render(request, "usage_rules_confirm.html", rule=rule.rule))


def undo(request: Request, form: FormData) -> Response:
    """Undo a rule, and show the result above the rules."""
    console, rule_id = get_console(request), form_text(form, "id")

    def run() -> FormResult:
        console.api.call("DELETE", "usage", body=build_undo(find_rule(console.deployment, rule_id)))
        return FormResult(f"Undid the rule {rule_id}. It can take hours until Amberflo's reports show it.")

    result = run_action(run)
    return HTMLResponse(views.render(request, "usage_rules_result.html", result=result, **_load_rules(request)))


def _load_rules(request: Request) -> dict[str, Any]:
    values = {"is_undone": is_undone, "parse_time": datetime.fromisoformat}
    try:
        return {**values, "rules": list_rules(get_console(request).deployment), "problem": ""}
    except (OperatorError, BotoCoreError, ClientError) as error:
        return {**values, "rules": [], "problem": describe(error)}


ROUTES: Final = (
    Route("/usage/rules", show),
    Route("/usage/rules/confirm", confirm),
    Route("/usage/rules/undo", form_handler(undo), methods=["POST"]),
)
