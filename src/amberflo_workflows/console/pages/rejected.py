"""The list of rejected usage: filter it, and redrive or drop many items at a time."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from amberflo_workflows.console import views
from amberflo_workflows.console.counts import fetch_counts, format_limited
from amberflo_workflows.console.files import send_csv, send_json
from amberflo_workflows.console.forms import FormResult, form_handler, form_text, form_values, run_action
from amberflo_workflows.console.rejected_rows import (
    PAGE_SIZE,
    ListQuery,
    build_row,
    fingerprint,
    is_allowed,
    parse_action,
)
from amberflo_workflows.console.state import get_console
from amberflo_workflows.console.usage_fields import FIELD_NAMES, apply_changes
from amberflo_workflows.core.rejected_item import RejectedItem
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.rejected.export import COLUMNS, build_rows
from amberflo_workflows.operate.rejected.redrive import redrive
from amberflo_workflows.operate.rejected.table import MAX_LISTED, ItemChanged, RejectedTable


def show(request: Request) -> Response:
    query = ListQuery.parse(request.query_params)
    return views.render_page(request, "rejected.html", **_build_list(request, query))


def export(request: Request) -> Response:
    """Send all usage that matches the filter, oldest first."""
    query = ListQuery.parse(request.query_params)
    rows = build_rows(_table(request).list_items(query.item_filter))
    return send_csv("rejected", COLUMNS, rows) if request.url.path.endswith(".csv") else send_json("rejected", rows)


def confirm(request: Request) -> Response:
    """Serve the dialog that asks before items are redriven or dropped."""
    params = request.query_params
    query, action, ids = ListQuery.parse(params), parse_action(params.get("do", "")), params.getlist("item")
    is_selection = params.get("which") == "selected"
    items = _find_items(request, query, ids if is_selection else None)
    allowed = [item for item in items if is_allowed(item, action)]
    values = {
        "filters": query,
        "action": action,
        "ids": ids if is_selection else [],
        "is_selection": is_selection,
        "allowed": allowed,
        "excluded": len(items) - len(allowed),
        "redriving": sum(item.status == "redriving" for item in allowed),
        "fingerprint": fingerprint(allowed),
    }
    return HTMLResponse(views.render(request, "rejected_confirm.html", **values))


def act(request: Request, form: FormData) -> Response:
    """Redrive or drop many items, and show the result."""
    query, action = ListQuery.parse(form), parse_action(form_text(form, "do"))

    def run() -> FormResult:
        ids = form_values(form, "item") if form_text(form, "which") == "selected" else None
        items = [item for item in _find_items(request, query, ids) if is_allowed(item, action)]
        if fingerprint(items) != form_text(form, "fingerprint"):
            raise ItemChanged(
                "The items have changed since this page was loaded. Nothing was done. Reload the page and try again."
            )
        if action == "drop":
            return _drop_items(request, items, form_text(form, "why"))
        return _redrive_items(
            request, _edit_items(request, items, {name: form_text(form, name) for name in FIELD_NAMES})
        )

    result = run_action(run)
    values = {**_build_list(request, query), "result": result}
    return HTMLResponse(views.render(request, "rejected_result.html", **values))


def _edit_items(request: Request, items: list[RejectedItem], values: Mapping[str, str]) -> list[RejectedItem]:
    """Change the usage of each item. All changes are checked before the first item is stored."""
    if not any(value.strip() for value in values.values()):
        return items
    if any(item.status != "rejected" for item in items):
        raise OperatorError("Some of the items are being redriven and cannot be edited. Nothing was changed.")
    edits = [(item, apply_changes(item.original["usage"], values)) for item in items]
    return [_table(request).edit(item, usage) for item, usage in edits]


def _redrive_items(request: Request, items: list[RejectedItem]) -> FormResult:
    counted, rejected = 0, list[str]()
    try:
        for result in redrive(get_console(request).deployment, items):
            counted += result.counted
            if not result.counted:
                rejected.append(f"{result.item.id}: {result.item.reason}")
    except OperatorError as error:
        raise OperatorError(f"{counted} counted, {len(rejected)} rejected again, then an error: {error}") from None
    return FormResult(f"{counted} counted, {len(rejected)} rejected again.", details=rejected)


def _drop_items(request: Request, items: list[RejectedItem], why: str) -> FormResult:
    table = _table(request)
    for number, item in enumerate(items):
        try:
            table.drop(item, why)
        except OperatorError as error:
            raise OperatorError(f"{number} dropped, then an error: {error}") from None
    return FormResult(f"{len(items)} dropped.")


def _find_items(request: Request, query: ListQuery, ids: list[str] | None) -> list[RejectedItem]:
    """The items with the ids, or all that match the query if ``ids`` is ``None``."""
    if ids is None:
        return _table(request).list_items(query.item_filter)
    return list(_table(request).get(dict.fromkeys(ids)))


def _build_list(request: Request, query: ListQuery) -> Mapping[str, Any]:
    """The values for the templates of the list and of the counts."""
    text = request.query_params.get("page", "")
    page = _table(request).list_page(query.item_filter, int(text) if text.isdecimal() else 1, PAGE_SIZE)
    # The list of all waiting items has counted them already.
    rejected = None if query.is_filter or query.status != "waiting" else page.total
    return {
        "counts": fetch_counts(get_console(request), rejected),
        "filters": query,
        "rows": [build_row(item) for item in page.items],
        "first": (page.number - 1) * PAGE_SIZE,
        "total": format_limited(page.total, MAX_LISTED),
        "number": page.number,
        "pages": page.pages,
    }


def _table(request: Request) -> RejectedTable:
    return RejectedTable(get_console(request).deployment)


ROUTES: Final = (
    Route("/rejected", show),
    Route("/rejected/export.csv", export),
    Route("/rejected/export.json", export),
    Route("/rejected/confirm", confirm),
    Route("/rejected/act", form_handler(act), methods=["POST"]),
)
