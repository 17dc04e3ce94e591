"""The pages of tenants: the list, and what is known of one."""

import time
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

from botocore.exceptions import BotoCoreError, ClientError
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from amberflo_workflows.console import tenant_usage, views
from amberflo_workflows.console.problems import describe
from amberflo_workflows.console.state import Console, get_console
from amberflo_workflows.operate.api_client import ApiError
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.executions.reader import Query
from amberflo_workflows.operate.rejected.item_filter import ItemFilter
from amberflo_workflows.operate.rejected.table import RejectedTable

PAGE_SIZE: Final = 100
MAX_LISTED: Final = 20
MAX_METERS: Final = 50
# The workflows of a tenant's events, and that which cancels single usages.
_TENANT_WORKFLOWS: Final = ("create_customer", "delete_customer")
_CANCELLING_WORKFLOW: Final = "cancel_usage"


def show_list(request: Request) -> Response:
    """Serve a page of the list of customers, or why it cannot be read."""
    search, token = (request.query_params.get(name, "").strip() for name in ("text", "after"))
    values: dict[str, Any] = {"customers": [], "next_query": "", "text": search, "problem": ""}
    query: dict[str, str | int | list[str]] = {"limit": PAGE_SIZE, "search": search, "next_token": token}
    try:
        page = get_console(request).api.call("GET", "customers", query={name: v for name, v in query.items() if v})
        values["customers"] = page["data"]
        if page.get("next_token"):
            values["next_query"] = urlencode({"text": search, "after": page["next_token"]})
    except OperatorError as error:
        values["problem"] = describe(error)
    return views.render_page(request, "tenants.html", **values, read_time=_read_time)


def show(request: Request) -> Response:
    """Serve a tenant's customer, and the places of the parts that are loaded afterwards."""
    tenant, values = request.path_params["id"], dict[str, Any](customer=None, problem="")
    try:
        values["customer"] = get_console(request).api.get_customer(tenant)
    except OperatorError as error:
        is_missing = isinstance(error, ApiError) and error.status == 404
        values["problem"] = "" if is_missing else describe(error)
    links = {"tenant": tenant}
    return views.render_page(
        request,
        "tenant.html",
        tenant=tenant,
        **values,
        rejected_url=f"/rejected?{urlencode({**links, 'status': 'all'})}",
        executions_url=f"/executions?{urlencode(links)}",
        days=tenant_usage.DAYS,
        **_build_load(tenant),
        read_time=_read_time,
    )


def show_history(request: Request) -> Response:
    """Serve the latest executions of the tenant's events, its cancellations, and its rejected usage."""
    tenant, console = request.path_params["id"], get_console(request)
    try:
        values = {
            "events": _list_executions(console, tenant, *_TENANT_WORKFLOWS),
            "cancellations": _list_executions(console, tenant, _CANCELLING_WORKFLOW),
            "rejected": RejectedTable(console.deployment).list_page(ItemFilter(tenant=tenant), 1, MAX_LISTED),
        }
    except (BotoCoreError, ClientError) as error:
        raise OperatorError(f"AWS: {error}") from None
    return HTMLResponse(views.render(request, "tenant_history.html", tenant=tenant, **values))


def show_usage(request: Request) -> Response:
    """Serve the tenant's usage of each meter, or why it cannot be read. It takes an execution, so it is on request."""
    tenant, console = request.path_params["id"], get_console(request)
    try:
        usages = tenant_usage.fetch_meters(console.api, console.meters.list(), tenant, int(time.time()))
    except OperatorError as error:
        return HTMLResponse(views.render(request, "usage_load.html", **_build_load(tenant), problem=describe(error)))
    values = {"usages": usages[:MAX_METERS], "more": max(len(usages) - MAX_METERS, 0)}
    return HTMLResponse(views.render(request, "tenant_usage.html", tenant=tenant, **values))


def _build_load(tenant: str) -> dict[str, Any]:
    """The values of the button that loads the usage."""
    return {
        "load_url": f"/tenants/{quote(tenant)}/usage",
        "load_target": "#tenant-usage",
        "load_remark": "This starts an execution of list_usage, and one of list_meters.",
    }


def _list_executions(console: Console, tenant: str, *workflows: str) -> list[Any]:
    """List the latest executions of workflows whose input names a tenant, newest first."""
    queries = [Query(workflow=workflow, tenant=tenant, limit=MAX_LISTED) for workflow in workflows]
    pages = [console.executions.list_page(query) for query in queries]
    summaries = [summary for page in pages for summary in page.summaries]
    return sorted(summaries, key=lambda summary: summary.started, reverse=True)[:MAX_LISTED]


def _read_time(value: object) -> datetime | None:
    """Read a time of a customer: epoch milliseconds, or a trait in ISO 8601."""
    try:
        if isinstance(value, int):
            return datetime.fromtimestamp(value / 1000, UTC)
        return datetime.fromisoformat(value) if isinstance(value, str) and value else None
    except (ValueError, OverflowError, OSError):
        return None


ROUTES: Final = (
    Route("/tenants", show_list),
    Route("/tenants/{id:path}/history", show_history),
    Route("/tenants/{id:path}/usage", show_usage),
    Route("/tenants/{id:path}", show),
)
