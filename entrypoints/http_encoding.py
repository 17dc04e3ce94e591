"""A reply as API Gateway takes it from a Lambda: as text, and compressed if it is large and the caller takes that."""

import base64
import gzip
import json
from typing import Any, Final

import msgspec
from aws_lambda_powertools.event_handler import Response

from amberflo_workflows.core.response import MAX_INLINE_BYTES
from amberflo_workflows.entrypoints.api_response import ApiResponse, api_error

# Lambda gives up an answer of more than 6,291,556 bytes; the body is a text in it, beside headers.
MAX_TEXT_BYTES: Final = 6_291_556 - 16_384
_TOO_LARGE_AS_TEXT: Final = (
    "The answer has {size:,} bytes, which is too large to be sent as plain text. Send the header Accept-Encoding: gzip "
    "(curl --compressed), or ask for less."
)


def gateway_response(reply: ApiResponse, accepted_encodings: str) -> Response[Any]:
    """What the ``api`` function answers; ``accepted_encodings`` is the caller's ``Accept-Encoding``."""
    body = msgspec.json.encode(reply.body)
    if len(body) <= MAX_INLINE_BYTES:
        return _as_text(reply, body)
    if _takes_gzip(accepted_encodings):
        return _compressed(reply, body)
    # The runtime escapes it once more, and in some versions of Python all that is not ASCII.
    if len(json.dumps(body.decode())) > MAX_TEXT_BYTES:
        refusal = api_error(413, _TOO_LARGE_AS_TEXT.format(size=len(body)), *reply.execution_arns)
        return _as_text(refusal, msgspec.json.encode(refusal.body))
    return _as_text(reply, body)


def _as_text(reply: ApiResponse, body: bytes) -> Response[Any]:
    return Response(reply.status, "application/json", body.decode(), dict(reply.headers))


def _compressed(reply: ApiResponse, body: bytes) -> Response[Any]:
    # Not by the router, whose level 9 takes eight times as long for a sixth less.
    packed = base64.b64encode(gzip.compress(body, compresslevel=1, mtime=0)).decode()
    headers = {**reply.headers, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    made: Response[Any] = Response(reply.status, "application/json", packed, headers)
    made.base64_encoded = True
    return made


def _takes_gzip(accepted_encodings: str) -> bool:
    return any(encoding.split(";")[0].strip().lower() == "gzip" for encoding in accepted_encodings.split(","))
