"""The page of rejected usage by reason. Each reason leads to its usage, which can be edited and redriven together."""

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from amberflo_workflows.console import views
from amberflo_workflows.console.counts import fetch_counts
from amberflo_workflows.console.rejected_rows import ListQuery, parse_iso_time
from amberflo_workflows.console.state import get_console
from amberflo_workflows.operate.rejected.item_filter import ItemFilter
from amberflo_workflows.operate.rejected.reasons import ReasonGroup
from amberflo_workflows.operate.rejected.table import MAX_LISTED, RejectedTable

MAX_NAMES: Final = 3


def show(request: Request) -> Response:
    console = get_console(request)
    groups = RejectedTable(console.deployment).list_reasons(ItemFilter())
    total = sum(group.usages for group in groups)
    return views.render_page(
        request,
        "rejected_reasons.html",
        counts=fetch_counts(console, total),
        groups=groups,
        is_limited=total >= MAX_LISTED,
        max_listed=MAX_LISTED,
        build_query=_build_query,
        shorten_names=_shorten_names,
        parse_time=parse_iso_time,
    )


def _build_query(group: ReasonGroup) -> str:
    """Return the query string of the list of a group's usage."""
    return ListQuery(reason=group.reason).query_string()


def _shorten_names(names: Sequence[str]) -> str:
    """Return the first names, and the number of the others."""
    others = len(names) - MAX_NAMES
    return ", ".join(names[:MAX_NAMES]) + (f" and {others:,} more" if others > 0 else "")


ROUTES: Final = (Route("/rejected/reasons", show),)
