"""Refused usage: found, and sent again or given up many at a time."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from amberflo_workflows.console import views
from amberflo_workflows.console.counts import counts
from amberflo_workflows.console.forms import FormResult, attempt, takes_form, text, texts
from amberflo_workflows.console.rejected_rows import PAGE_SIZE, ListQuery, action_of, build_row, can, fingerprint
from amberflo_workflows.console.state import get_console
from amberflo_workflows.console.usage_fields import NAMED, changed
from amberflo_workflows.core.rejected_item import RejectedItem
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.rejected.redrive import redrive
from amberflo_workflows.operate.rejected.table import ItemChanged, RejectedTable


def show(request: Request) -> Response:
    """The page."""
    asked = ListQuery.of(request.query_params)
    return views.page(request, "rejected.html", counts=counts(get_console(request)), **_list(request, asked))


def confirm(request: Request) -> Response:
    """The question that is asked before many are sent or dropped: which, and how many."""
    given = request.query_params
    asked, action, ids = ListQuery.of(given), action_of(given.get("do", "")), given.getlist("item")
    ticked = given.get("which") == "ticked"
    found = _meant(request, asked, ids if ticked else None)
    able = [item for item in found if can(item, action)]
    values = {
        "asked": asked,
        "action": action,
        "ids": ids if ticked else [],
        "ticked": ticked,
        "meant": able,
        "left": len(found) - len(able),
        "sent": sum(item.status == "redriving" for item in able),
        "fingerprint": fingerprint(able),
    }
    return HTMLResponse(views.draw(request, "rejected_confirm.html", **values))


def act(request: Request, form: FormData) -> Response:
    """Send or drop many, and tell what became of them."""
    asked, action = ListQuery.of(form), action_of(text(form, "do"))

    def done() -> FormResult:
        found = _meant(request, asked, texts(form, "item") if text(form, "which") == "ticked" else None)
        items = [item for item in found if can(item, action)]
        if fingerprint(items) != text(form, "fingerprint"):
            raise ItemChanged("What was shown has changed since; nothing was done. Look at it again.")
        if action == "drop":
            return _dropped(request, items, text(form, "why"))
        return _redriven(request, _mended(request, items, {name: text(form, name) for name in NAMED}))

    outcome = attempt(done)
    values = {**_list(request, asked), "outcome": outcome, "counts": counts(get_console(request))}
    return HTMLResponse(views.draw(request, "rejected_done.html", **values))


def _mended(request: Request, items: list[RejectedItem], given: Mapping[str, str]) -> list[RejectedItem]:
    """The items, each with what was typed in its usage. All are looked at before the first is changed."""
    if not any(typed.strip() for typed in given.values()):
        return items
    if any(item.status != "rejected" for item in items):
        raise OperatorError("Some are on their way and can only be sent as they are; nothing was done.")
    mended = [(item, changed(item.original["usage"], given)) for item in items]
    return [_table(request).edit(item, usage) for item, usage in mended]


def _redriven(request: Request, items: list[RejectedItem]) -> FormResult:
    counted, refused = 0, list[str]()
    try:
        for one in redrive(get_console(request).deployment, items):
            counted += one.counted
            if not one.counted:
                refused.append(f"{one.item.id}: {one.item.reason}")
    except OperatorError as error:
        raise OperatorError(f"{counted} counted, {len(refused)} refused again; then: {error}") from None
    return FormResult(f"{counted} counted, {len(refused)} refused again.", details=refused)


def _dropped(request: Request, items: list[RejectedItem], why: str) -> FormResult:
    table = _table(request)
    for number, item in enumerate(items):
        try:
            table.drop(item, why)
        except OperatorError as error:
            raise OperatorError(f"{number} dropped; then: {error}") from None
    return FormResult(f"{len(items)} dropped.")


def _meant(request: Request, asked: ListQuery, ids: list[str] | None) -> list[RejectedItem]:
    """The items with these ids, else all that are asked for."""
    if ids is None:
        return _table(request).find(asked.wanted)
    return list(_table(request).get(dict.fromkeys(ids)))


def _list(request: Request, asked: ListQuery) -> Mapping[str, Any]:
    """What the list is drawn from."""
    found = _table(request).find(asked.wanted)
    pages = max(-(-len(found) // PAGE_SIZE), 1)
    given = request.query_params.get("page", "")
    number = min(max(int(given) if given.isdecimal() else 1, 1), pages)
    first = (number - 1) * PAGE_SIZE
    rows = [build_row(item) for item in found[first : first + PAGE_SIZE]]
    return {"asked": asked, "rows": rows, "first": first, "total": len(found), "number": number, "pages": pages}


def _table(request: Request) -> RejectedTable:
    return RejectedTable(get_console(request).deployment)


ROUTES: Final = (
    Route("/rejected", show),
    Route("/rejected/confirm", confirm),
    Route("/rejected/act", takes_form(act), methods=["POST"]),
)
