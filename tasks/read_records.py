"""Read the records behind a number from the ledger: a tenant's usage of a meter, a page at a time.

Input: ``{"request": {"question", "meterApiName"}, "execution": {"name"}}``. The question is the query of
``GET /usage/{meterId}/records``, flat, as strings or typed; the workflow looks up the meter's name if the caller did
not pass it. The tenant and the range are required: without one of them the response would have more than the caller
asked for.

Response: 200 with ``{"data": [{"record", "cancelledBy", "counted"}…], "total", "next_token": str | null}``, or a claim
to that if it is large; 400; 409 if too many receipts are not sorted. A token has the time and a digest of the last
record of its page, so it stays valid when usage arrives. Raises ``LedgerUnavailable``, and ``UnreadableObject``
for a damaged ledger.
"""

from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta, Struct

from amberflo_workflows.core.canonical import normalize_text
from amberflo_workflows.core.claim_check import store_if_large
from amberflo_workflows.core.initialization import at_initialization
from amberflo_workflows.core.ledger.errors import ledger_errors
from amberflo_workflows.core.ledger.receipt import UnreadableObject
from amberflo_workflows.core.ledger.record_page import (
    InvalidPosition,
    LedgerNotSorted,
    Position,
    RecordFilter,
    RecordPage,
    read_page,
)
from amberflo_workflows.core.ledger.store import own_ledger
from amberflo_workflows.core.meter import MeterId
from amberflo_workflows.core.observability import logger
from amberflo_workflows.core.page_token import build_token_error, decode_token, encode_token
from amberflo_workflows.core.response import (
    ClaimResponse,
    PayloadTooLarge,
    StepResponse,
    error_response,
    field_error_response,
    success,
    validation_error_response,
)
from amberflo_workflows.core.usage_record import MAX_METER_NAME_LENGTH, MAX_TEXT_LENGTH

MAX_RECORDS: Final = 1000
# Epoch seconds until the year 2286. A time in milliseconds is later, and is rejected.
Seconds = Annotated[int, Meta(ge=0, lt=10_000_000_000)]


class RecordQuestion(Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """The query."""

    meter_id: MeterId | None = None
    meter_api_name: Annotated[str, Meta(min_length=1, max_length=MAX_METER_NAME_LENGTH)]
    tenant_id: Annotated[str, Meta(min_length=1, max_length=MAX_TEXT_LENGTH, pattern=r"\S")]
    start_time_in_seconds: Seconds
    end_time_in_seconds: Seconds
    limit: Annotated[int, Meta(ge=1, le=MAX_RECORDS)] | None = None
    next_token: str | None = msgspec.field(default=None, name="next_token")


class PageRequest(NamedTuple):
    """A validated question."""

    selection: RecordFilter
    after: Position | None
    limit: int


class RecordsExecution(Struct):
    """The execution of this step."""

    name: str


class RecordsInput(Struct):
    """The event of this step. Its request is not yet validated."""

    request: Any
    execution: RecordsExecution


def handler(event: Any, _context: object) -> StepResponse | ClaimResponse:
    step_input = msgspec.convert(event, RecordsInput)
    logger.set_correlation_id(step_input.execution.name)
    try:
        request = _parse_request(step_input.request)
        return store_if_large(
            _build_response(_read_page(request)), step_input.execution.name, advice="A single record exceeds it."
        )
    except msgspec.ValidationError as error:
        return validation_error_response(error)
    except UnicodeEncodeError:
        return field_error_response("", "It contains text that is not valid Unicode")
    except InvalidPosition:
        return validation_error_response(build_token_error())
    except LedgerNotSorted as error:
        return error_response(409, str(error))
    except PayloadTooLarge as error:
        return error_response(413, str(error))


def _read_page(request: PageRequest) -> RecordPage:
    try:
        with ledger_errors():
            return read_page(own_ledger(), *request)
    except msgspec.DecodeError as error:
        # It must not be mistaken for an error of the request.
        raise UnreadableObject(f"The ledger has an invalid entry: {error}") from error


def _parse_request(request: Any) -> PageRequest:
    members = msgspec.convert(request["question"], dict[str, Any]) | {"meterApiName": request["meterApiName"]}
    for name, value in members.items():
        if value == "":
            raise msgspec.ValidationError(f"It is empty. Set a value - at `$.{name}`")
    question = msgspec.convert(members, RecordQuestion, strict=False)
    start, end = question.start_time_in_seconds, question.end_time_in_seconds
    if start >= end:
        raise msgspec.ValidationError("The range is empty: it must start before its end - at `$.startTimeInSeconds`")
    selection = RecordFilter(normalize_text(question.meter_api_name), normalize_text(question.tenant_id), start, end)
    after = None if question.next_token is None else decode_token(question.next_token, Position)
    return PageRequest(selection, after, question.limit or MAX_RECORDS)


def _build_response(page: RecordPage) -> StepResponse:
    token = encode_token(page.end) if page.end else None
    return success(200, msgspec.to_builtins(page.records), total=page.total, next_token=token)


at_initialization(own_ledger)
