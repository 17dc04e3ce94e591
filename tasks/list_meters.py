"""List the meters, a page at a time. Amberflo returns the complete list; a page is cut out of it, sorted by API name.

Request: ``{"limit"?, "next_token"?}``. A page has at most as many meters as fit into a response that is not compressed,
since this step does not know what the caller accepts. Response: 200 with ``{"data": [meter…], "next_token": str |
null}``, or a claim to that if it is large.
"""

from typing import Annotated, Any

import msgspec

from amberflo_workflows.core.claim_check import store_if_large
from amberflo_workflows.core.meter import is_meter
from amberflo_workflows.core.response import ClaimResponse, StepResponse
from amberflo_workflows.core.sorted_page import Key, build_sorted_page, parse_page_start
from amberflo_workflows.tasks.amberflo.errors import AmberfloUnavailable
from amberflo_workflows.tasks.step import Step, step


class ListMeters(msgspec.Struct, forbid_unknown_fields=True):
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None
    next_token: str | None = None


def _parse_request(request: Any) -> tuple[int | None, Key]:
    page = msgspec.convert(request, ListMeters, strict=False)
    return page.limit, parse_page_start(page.next_token)


@step(_parse_request)
def handler(request: tuple[int | None, Key], step: Step) -> StepResponse | ClaimResponse:
    limit, after = request
    meters = step.amberflo.call("GET", "/meters")
    if not isinstance(meters, list):
        raise AmberfloUnavailable("Amberflo's response to GET /meters is not a list.")
    page = build_sorted_page([meter for meter in meters if is_meter(meter)], _sort_key, after=after, limit=limit)
    return store_if_large(page, step.execution.name, advice="A single meter exceeds the limit.")


def _sort_key(meter: dict[str, Any]) -> Key:
    return str(meter["meterApiName"]), str(meter.get("id", ""))
