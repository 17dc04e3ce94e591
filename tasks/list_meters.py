"""List the meters, a page at a time.

Amberflo returns the complete list, unordered. So this step sorts it by API name and cuts a page out of it. A token has
the name of the last meter of its page, so it stays valid when meters are created or deleted.

Request: ``{"limit"?, "next_token"?}``. A page has at most as many meters as fit into a response that is not compressed,
since this step does not know what the caller accepts. Response: 200 with ``{"data": [meter…], "next_token": str |
null}``, or a claim to that if it is large.
"""

from typing import Annotated, Any

import msgspec

from amberflo_workflows.core.claim_check import store_if_large
from amberflo_workflows.core.meter import is_meter
from amberflo_workflows.core.page_token import decode_token, encode_token
from amberflo_workflows.core.response import PAGE_BYTES, ClaimResponse, StepResponse, success, text_size
from amberflo_workflows.tasks.amberflo.errors import AmberfloUnavailable
from amberflo_workflows.tasks.step import Step, step


class ListMeters(msgspec.Struct, forbid_unknown_fields=True):
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None
    next_token: str | None = None


def _parse_request(request: Any) -> tuple[int | None, tuple[str, str]]:
    page = msgspec.convert(request, ListMeters, strict=False)
    return page.limit, decode_token(page.next_token, tuple[str, str]) if page.next_token else ("", "")


@step(_parse_request)
def handler(request: tuple[int | None, tuple[str, str]], step: Step) -> StepResponse | ClaimResponse:
    limit, after = request
    meters = step.amberflo.call("GET", "/meters")
    if not isinstance(meters, list):
        raise AmberfloUnavailable("Amberflo's response to GET /meters is not a list.")
    rest = sorted((meter for meter in meters if is_meter(meter) and _sort_key(meter) > after), key=_sort_key)
    page = _cut_to_size(rest[:limit])
    token = encode_token(_sort_key(page[-1])) if page and len(page) < len(rest) else None
    return store_if_large(
        success(200, page, next_token=token), step.execution.name, advice="A single meter exceeds the limit."
    )


def _sort_key(meter: dict[str, Any]) -> tuple[str, str]:
    return str(meter["meterApiName"]), str(meter.get("id", ""))


def _cut_to_size(meters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first meters, as many as fit into a page, and at least one."""
    free_bytes = PAGE_BYTES
    page: list[dict[str, Any]] = []
    for meter in meters:
        free_bytes -= text_size(msgspec.json.encode(meter).decode()) + 1  # the comma
        if free_bytes < 0 and page:
            break
        page.append(meter)
    return page
