"""The page of one rejected usage: its reason, its history, and the form to edit, redrive or drop it."""

import json
from typing import Any, Final

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from amberflo_workflows.console import views
from amberflo_workflows.console.forms import FormResult, form_handler, form_text, run_action
from amberflo_workflows.console.rejected_rows import build_row, parse_iso_time
from amberflo_workflows.console.state import get_console
from amberflo_workflows.console.usage_fields import FIELD_NAMES, apply_form, build_fields, format_json
from amberflo_workflows.core.rejected_item import RejectedItem
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.rejected.redrive import redrive
from amberflo_workflows.operate.rejected.table import RejectedTable


def show(request: Request) -> Response:
    try:
        item = _get_item(request)
    except OperatorError:
        raise HTTPException(404) from None
    return views.render_page(request, "rejected_item.html", **_build_values(item))


def save(request: Request, form: FormData) -> Response:
    """Store the edited usage without redriving it."""

    def run() -> FormResult:
        item, before = _edit_item(request, form)
        return FormResult("Saved. The usage was not redriven." if item is not before else "Nothing was changed.")

    return _render_result(request, form, run_action(run))


def redrive_item(request: Request, form: FormData) -> Response:
    """Redrive the usage, after storing the edits of the form."""

    def run() -> FormResult:
        item, _ = _edit_item(request, form)
        (result,) = redrive(get_console(request).deployment, [item])
        if result.counted:
            return FormResult("Counted.")
        return FormResult(problem=f"Rejected again: {result.item.reason}.")

    return _render_result(request, form, run_action(run))


def drop(request: Request, form: FormData) -> Response:
    """Drop the usage: it will not be counted."""

    def run() -> FormResult:
        _table(request).drop(_get_item_as_shown(request, form), form_text(form, "why"))
        return FormResult("Dropped.")

    return _render_result(request, form, run_action(run))


def _edit_item(request: Request, form: FormData) -> tuple[RejectedItem, RejectedItem]:
    """Store the edits of the form. Returns the item after and before; they are the same object without edits."""
    item = _get_item_as_shown(request, form)
    if "others" not in form:
        return item, item
    usage = apply_form(item.original["usage"], {name: form_text(form, name) for name in (*FIELD_NAMES, "others")})
    if _is_same_json(usage, item.original["usage"]):
        return item, item
    return _table(request).edit(item, usage), item


def _is_same_json(first: object, second: object) -> bool:
    """Whether two values are the same JSON; 1, 1.0 and true are different."""
    return json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)


def _render_result(request: Request, form: FormData, result: FormResult) -> Response:
    """Render the result, and the item if the form changed it. Otherwise the user's input stays in the form."""
    item = _get_item(request)
    changed = item.version != form_text(form, "version") and not result.is_stale
    return HTMLResponse(
        views.render(request, "rejected_item_result.html", result=result, changed=changed, **_build_values(item))
    )


def _build_values(item: RejectedItem) -> dict[str, Any]:
    usage = None if item.is_event else item.original["usage"]
    original = item.original if item.is_event else format_json(item.original)
    history = [(parse_iso_time(entry["at"]), entry) for entry in item.history]
    return {
        "item": item,
        "row": build_row(item),
        "fields": build_fields(usage),
        "original": original,
        "history": history,
    }


def _get_item_as_shown(request: Request, form: FormData) -> RejectedItem:
    """The item, if it has not changed since the page was loaded. Raises :class:`OperatorError`."""
    return _table(request).get_version(request.path_params["id"], form_text(form, "version"))


def _get_item(request: Request) -> RejectedItem:
    (item,) = _table(request).get([request.path_params["id"]])
    return item


def _table(request: Request) -> RejectedTable:
    return RejectedTable(get_console(request).deployment)


ROUTES: Final = (
    Route("/rejected/{id}", show),
    Route("/rejected/{id}/save", form_handler(save), methods=["POST"]),
    Route("/rejected/{id}/redrive", form_handler(redrive_item), methods=["POST"]),
    Route("/rejected/{id}/drop", form_handler(drop), methods=["POST"]),
)
