"""The response that a workflow ends with: ``{"statusCode", "body"}``, in the SaaS Builder Toolkit's format.

A body that is too large for a workflow is stored in a bucket, and the response is ``{"statusCode", "claim"}``.
"""

import json
import re
from collections.abc import Sequence
from typing import Final, TypedDict

import msgspec

# A state's output may have 262,144 bytes. The rest is for the response's envelope and what the workflow adds to it.
MAX_INLINE_BYTES: Final = 240_000
# Lambda rejects a response over 6,291,556 bytes; a body is a JSON text in it, and the headers are in it, too.
MAX_TEXT_BYTES: Final = 6_291_556 - 16_384
# What the elements of a page may have. The rest is for the envelope with the token.
PAGE_BYTES: Final = MAX_TEXT_BYTES - 2_000


class StepResponse(TypedDict):
    """An HTTP status and its JSON body."""

    statusCode: int
    body: dict[str, object]


class Claim(TypedDict):
    """Where a body is stored, and its size."""

    bucket: str
    key: str
    bytes: int


class ClaimResponse(TypedDict):
    """A response whose body is in a bucket, see :mod:`~amberflo_workflows.core.claim_check`."""

    statusCode: int
    claim: Claim


class PayloadTooLarge(ValueError):
    """A request or a response is too large for a workflow; a step returns 413 with the message."""


class FieldError(TypedDict):
    """Which field is invalid, and why."""

    field: str
    problem: str


def json_size(value: object) -> int:
    """Return the bytes of a value's JSON with all but ASCII escaped, as Lambda's runtimes for Python 3.11 return it."""
    return len(json.dumps(value, separators=(",", ":")))


def text_size(body: str) -> int:
    """Return the bytes of a body in the response of a Lambda that returns it as text.

    The runtime escapes the JSON once more, in some versions of Python with all but ASCII.
    """
    return len(json.dumps(body))


def success(status: int, data: object, **members: object) -> StepResponse:
    """Return a response with ``{"data": data}``, and with more ``members`` where a list has a token."""
    return {"statusCode": status, "body": {"data": data, **members}}


def error_response(status: int, message: str, details: Sequence[FieldError] = ()) -> StepResponse:
    """Return a response with ``{"statusCode", "message"}``, and with ``details`` if there are any."""
    body: dict[str, object] = {"statusCode": status, "message": message}
    if details:
        body["details"] = list(details)
    return {"statusCode": status, "body": body}


def field_error_response(field: str, problem: str) -> StepResponse:
    """Return 400 for one field."""
    message = f"{field}: {problem}." if field else f"{problem}."
    return error_response(400, f"The request is invalid. {message}", [{"field": field, "problem": problem}])


_FIELD_NAME_ERROR = re.compile(r"Object (?P<kind>missing required|contains unknown) field `(?P<name>[^`]*)`")


def validation_error_response(error: msgspec.ValidationError) -> StepResponse:
    """Return 400 for a message of msgspec, such as ``Expected `str`, got `int` - at `$.label```."""
    problem, _, location = str(error).partition(" - at `$")
    path = location.strip("`.")
    name_error = _FIELD_NAME_ERROR.fullmatch(problem)
    if name_error:
        problem = "It is required" if name_error["kind"] == "missing required" else "There is no such field"
        path = f"{path}.{name_error['name']}".strip(".")
    return field_error_response(path, problem)
