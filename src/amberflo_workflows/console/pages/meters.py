"""The pages of meters: the list, and a form that creates, changes, deprecates or deletes one."""

from typing import Any, Final
from urllib.parse import quote

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from amberflo_workflows.console import views
from amberflo_workflows.console.forms import form_handler, form_text
from amberflo_workflows.console.meter_form import OLDER_TYPES, TYPES, MeterForm, list_next_statuses
from amberflo_workflows.console.problems import describe
from amberflo_workflows.console.state import get_console
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.meter_definition import STATUSES, InvalidMeter, check_changes, check_new_meter


def show_list(request: Request) -> Response:
    """Serve the list of all meters, or why it cannot be read."""
    text, problem, meters = request.query_params.get("text", "").strip(), "", list[dict[str, Any]]()
    try:
        meters = list(get_console(request).meters.list())
    except OperatorError as error:
        problem = describe(error)
    matching = [meter for meter in meters if text.casefold() in _build_searched_text(meter)]
    values: dict[str, Any] = {"meters": matching, "is_empty": not meters, "text": text, "problem": problem}
    return views.render_page(request, "meters.html", **values)


def show_new(request: Request) -> Response:
    """Serve the form for a new meter."""
    return views.render_page(request, "meter.html", meter=None, **_build_values(MeterForm()))


def show(request: Request) -> Response:
    """Serve the form for a meter. Raises :class:`OperatorError` if it does not exist."""
    meter = get_console(request).get_meter(request.path_params["id"])
    return views.render_page(request, "meter.html", meter=meter, **_build_values(MeterForm.from_meter(meter)))


def create(request: Request, form: FormData) -> Response:
    """Create a meter and open its page, or say in the form what is invalid."""
    submitted, console = MeterForm.parse(form), get_console(request)
    try:
        members = {**submitted.build_members(), "lockingStatus": "open"}
        check_new_meter(members)
        meter = console.api.call("POST", "meters", body=members)["data"]
    except OperatorError as error:
        return _render_form(request, None, submitted, error)
    console.meters.forget()
    return _redirect(f"/meters/{quote(meter['id'], safe='')}?done=created")


def change(request: Request, form: FormData) -> Response:
    """Change a meter by the fields that its user edited, or say in the form what is invalid."""
    submitted, console = MeterForm.parse(form), get_console(request)
    meter = console.get_meter(request.path_params["id"])
    try:
        changes = submitted.build_changes(MeterForm.parse_shown(form))
        check_changes(changes)
        console.api.call("PUT", "meters", meter["id"], body=changes)
    except OperatorError as error:
        return _render_form(request, meter, submitted, error, form_text(form, "shown"))
    console.meters.forget()
    return _redirect(f"/meters/{quote(meter['id'], safe='')}?done=changed")


def delete(request: Request) -> Response:
    """Delete a meter and open the list, or say why it cannot be deleted."""
    console = get_console(request)
    meter = console.get_meter(request.path_params["id"])
    try:
        console.api.call("DELETE", "meters", meter["id"])
    except OperatorError as error:
        return _render_form(request, meter, MeterForm.from_meter(meter), error)
    console.meters.forget()
    return _redirect("/meters?done=deleted")


def _build_searched_text(meter: dict[str, Any]) -> str:
    return f"{meter['meterApiName']} {meter.get('label')}".casefold()


def _build_values(form: MeterForm, problem: str = "", field: str = "", shown: str = "") -> dict[str, Any]:
    return {
        "form": form,
        "shown": shown or form.encode(),
        "types": {**TYPES, **dict.fromkeys(OLDER_TYPES, "Amberflo may reject it")},
        "statuses": {name: STATUSES.get(name, "") for name in list_next_statuses(form.lockingStatus)},
        "problem": problem,
        "field": field,
    }


def _render_form(
    request: Request, meter: dict[str, Any] | None, form: MeterForm, error: OperatorError, shown: str = ""
) -> Response:
    field, problem = (error.field, error.rule) if isinstance(error, InvalidMeter) else ("", describe(error))
    values = _build_values(form, problem, field, shown)
    if meter:
        values["statuses"] = {name: STATUSES.get(name, "") for name in list_next_statuses(meter["lockingStatus"])}
    return HTMLResponse(views.render(request, "meter_form.html", meter=meter, **values))


def _redirect(url: str) -> Response:
    return Response(headers={"HX-Redirect": url})


ROUTES: Final = (
    Route("/meters", show_list),
    Route("/meters", form_handler(create), methods=["POST"]),
    Route("/meters/new", show_new),
    Route("/meters/{id}", show),
    Route("/meters/{id}", form_handler(change), methods=["POST"]),
    Route("/meters/{id}", delete, methods=["DELETE"]),
)
