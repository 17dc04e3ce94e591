"""Read one customer.

Request: ``{"customerId"}``. Response: 200 with the customer, 404, or 413 if it is too large for a workflow.
"""

from typing import Annotated, Any, Final

import msgspec

from amberflo_workflows.core.canonical import normalize_text
from amberflo_workflows.core.response import PayloadTooLarge, StepResponse, error_response, json_size, success
from amberflo_workflows.core.usage_record import MAX_TEXT_LENGTH
from amberflo_workflows.tasks.amberflo.customers import fetch_customer
from amberflo_workflows.tasks.step import Step, step

# Far above any known customer, and small enough for the output of a state.
MAX_CUSTOMER_BYTES: Final = 140_000


class CustomerReference(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    customer_id: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT_LENGTH)]


def _parse_request(request: Any) -> str:
    return normalize_text(msgspec.convert(request, CustomerReference).customer_id)


@step(_parse_request)
def handler(customer_id: str, step: Step) -> StepResponse:
    customer = fetch_customer(step.amberflo, customer_id)
    if customer is None:
        return error_response(404, f"The customer '{customer_id}' was not found.")
    size = json_size(customer)
    if size > MAX_CUSTOMER_BYTES:
        raise PayloadTooLarge(f"The customer has {size:,} bytes; the limit is {MAX_CUSTOMER_BYTES:,}.")
    return success(200, customer)
