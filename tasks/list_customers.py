"""List the customers, a page at a time. Amberflo returns the complete list; a page is cut out of it, sorted by id.

Request: ``{"limit"?, "next_token"?, "search"?}``; the id, the name or the email of a customer contains ``search``, in
upper or lower case. Response: 200 with ``{"data": [customer…], "next_token": str | null}``, or a claim to that if it is
large.
"""

from typing import Annotated, Any

import msgspec

from amberflo_workflows.core.canonical import normalize_text
from amberflo_workflows.core.claim_check import store_if_large
from amberflo_workflows.core.response import ClaimResponse, StepResponse
from amberflo_workflows.core.sorted_page import Key, build_sorted_page, parse_page_start
from amberflo_workflows.tasks.amberflo.customers import is_customer
from amberflo_workflows.tasks.amberflo.errors import AmberfloUnavailable
from amberflo_workflows.tasks.step import Step, step

_SEARCHED_FIELDS = ("customerId", "customerName", "customerEmail")


class ListCustomers(msgspec.Struct, forbid_unknown_fields=True):
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None
    next_token: str | None = None
    search: Annotated[str, msgspec.Meta(max_length=200)] | None = None


def _parse_request(request: Any) -> tuple[ListCustomers, Key]:
    page = msgspec.convert(request, ListCustomers, strict=False)
    return page, parse_page_start(page.next_token)


@step(_parse_request)
def handler(request: tuple[ListCustomers, Key], step: Step) -> StepResponse | ClaimResponse:
    query, after = request
    customers = step.amberflo.call("GET", "/customers")
    if not isinstance(customers, list):
        raise AmberfloUnavailable("Amberflo's response to GET /customers is not a list.")
    text = normalize_text(query.search or "").casefold()
    matching = [customer for customer in customers if is_customer(customer) and _contains(customer, text)]
    page = build_sorted_page(matching, _sort_key, after=after, limit=query.limit)
    return store_if_large(page, step.execution.name, advice="A single customer exceeds the limit.")


def _contains(customer: dict[str, Any], text: str) -> bool:
    return any(text in normalize_text(str(customer.get(field) or "")).casefold() for field in _SEARCHED_FIELDS)


def _sort_key(customer: dict[str, Any]) -> Key:
    return str(customer["customerId"]), ""
