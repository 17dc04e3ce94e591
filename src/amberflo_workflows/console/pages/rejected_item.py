"""One refused usage: what it is, what was done with it, and the ways back."""

import json
from typing import Any, Final

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from amberflo_workflows.console import views
from amberflo_workflows.console.forms import FormResult, attempt, takes_form, text
from amberflo_workflows.console.rejected_rows import build_row, when
from amberflo_workflows.console.state import get_console
from amberflo_workflows.console.usage_fields import NAMED, fields_of, mended, pretty
from amberflo_workflows.core.rejected_item import RejectedItem
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.rejected.redrive import redrive
from amberflo_workflows.operate.rejected.table import RejectedTable


def show(request: Request) -> Response:
    """The page."""
    try:
        item = _item(request)
    except OperatorError:
        raise HTTPException(404) from None
    return views.page(request, "rejected_item.html", **_values(item))


def save(request: Request, form: FormData) -> Response:
    """Mend it, and leave it for later."""

    def done() -> FormResult:
        item, was = _edited(request, form)
        return FormResult("Saved; it is not sent." if item is not was else "Nothing was changed.")

    return _told(request, form, attempt(done))


def send(request: Request, form: FormData) -> Response:
    """Send it, mended first where the form says something else."""

    def done() -> FormResult:
        item, _ = _edited(request, form)
        (one,) = redrive(get_console(request).deployment, [item])
        if one.counted:
            return FormResult("Counted.")
        return FormResult(problem=f"Refused again: {one.item.reason}.")

    return _told(request, form, attempt(done))


def drop(request: Request, form: FormData) -> Response:
    """Give it up."""

    def done() -> FormResult:
        _table(request).drop(_seen(request, form), text(form, "why"))
        return FormResult("Dropped.")

    return _told(request, form, attempt(done))


def _edited(request: Request, form: FormData) -> tuple[RejectedItem, RejectedItem]:
    """The item with what the form says in it, and as it was: the same if the form says nothing else."""
    item = _seen(request, form)
    if "others" not in form:
        return item, item
    usage = mended(item.original["usage"], {name: text(form, name) for name in (*NAMED, "others")})
    if _same(usage, item.original["usage"]):
        return item, item
    return _table(request).edit(item, usage), item


def _same(one: object, other: object) -> bool:
    """As JSON has it, where 1 is neither 1.0 nor true."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _told(request: Request, form: FormData, outcome: FormResult) -> Response:
    """What became of it, and the item anew if it was changed by this; else what was typed stays."""
    item = _item(request)
    changed = item.version != text(form, "version") and not outcome.is_stale
    return HTMLResponse(
        views.draw(request, "rejected_item_done.html", outcome=outcome, changed=changed, **_values(item))
    )


def _values(item: RejectedItem) -> dict[str, Any]:
    usage = None if item.is_event else item.original["usage"]
    original = item.original if item.is_event else pretty(item.original)
    history = [(when(step["at"]), step) for step in item.history]
    return {
        "item": item,
        "row": build_row(item),
        "fields": fields_of(usage),
        "original": original,
        "history": history,
    }


def _seen(request: Request, form: FormData) -> RejectedItem:
    """The item, if it is as the page showed it."""
    return _table(request).get_as_seen(request.path_params["id"], text(form, "version"))


def _item(request: Request) -> RejectedItem:
    (item,) = _table(request).get([request.path_params["id"]])
    return item


def _table(request: Request) -> RejectedTable:
    return RejectedTable(get_console(request).deployment)


ROUTES: Final = (
    Route("/rejected/{id}", show),
    Route("/rejected/{id}/save", takes_form(save), methods=["POST"]),
    Route("/rejected/{id}/redrive", takes_form(send), methods=["POST"]),
    Route("/rejected/{id}/drop", takes_form(drop), methods=["POST"]),
)
