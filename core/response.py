"""The answers that a workflow ends with: ``{"statusCode", "body"}``, in the SaaS Builder Toolkit's shape.

A body that is too large for a workflow is left in a bucket, and the answer is ``{"statusCode", "claim"}``.
"""

import json
import re
from collections.abc import Sequence
from typing import Final, TypedDict

import msgspec

# A state's output may have 262,144 bytes, an answer's envelope and what the workflow keeps beside it among them.
MAX_INLINE_BYTES: Final = 240_000


class StepResponse(TypedDict):
    """An HTTP status and the JSON that goes with it."""

    statusCode: int
    body: dict[str, object]


class Claim(TypedDict):
    """Where a body lies, and its size."""

    bucket: str
    key: str
    bytes: int


class ClaimResponse(TypedDict):
    """An answer whose body lies in a bucket, see :mod:`~amberflo_workflows.core.claim_check`."""

    statusCode: int
    claim: Claim


class PayloadTooLarge(ValueError):
    """A request or an answer is larger than a workflow can carry; a step answers 413 with the message."""


class FieldError(TypedDict):
    """Which field is wrong, and what is wrong with it."""

    field: str
    problem: str


def json_size(value: object) -> int:
    """Bytes of a JSON value with all but ASCII escaped: Lambda's runtimes for Python 3.11 and older hand it on so."""
    return len(json.dumps(value, separators=(",", ":")))


def success(status: int, data: object, **beside: object) -> StepResponse:
    """``{"data": data}``, with more members ``beside`` it where a list needs a token."""
    return {"statusCode": status, "body": {"data": data, **beside}}


def error_response(status: int, message: str, details: Sequence[FieldError] = ()) -> StepResponse:
    """``{"statusCode", "message"}``, with ``details`` on a 400."""
    body: dict[str, object] = {"statusCode": status, "message": message}
    if details:
        body["details"] = list(details)
    return {"statusCode": status, "body": body}


def field_error_response(field: str, what: str) -> StepResponse:
    """400 for one field."""
    message = f"{field}: {what}." if field else f"{what}."
    return error_response(400, f"The request is wrong. {message}", [{"field": field, "problem": what}])


_NAMES_A_FIELD = re.compile(r"Object (?P<what>missing required|contains unknown) field `(?P<name>[^`]*)`")


def validation_error_response(error: msgspec.ValidationError) -> StepResponse:
    """400 from what msgspec says: ``Expected `str`, got `int` - at `$.label```."""
    what, _, where = str(error).partition(" - at `$")
    path = where.strip("`.")
    named = _NAMES_A_FIELD.fullmatch(what)
    if named:
        reason = "It is missing" if named["what"] == "missing required" else "There is no such field"
        return field_error_response(f"{path}.{named['name']}".strip("."), reason)
    return field_error_response(path, what)
