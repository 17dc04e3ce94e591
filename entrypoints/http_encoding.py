"""Encode a response for API Gateway: as text, or compressed if it is large and the caller accepts gzip."""

import base64
import gzip
from typing import Final, TypedDict

import msgspec

from amberflo_workflows.core.response import MAX_INLINE_BYTES, MAX_TEXT_BYTES, text_size
from amberflo_workflows.entrypoints.api_response import ApiResponse, build_error

_TOO_LARGE_AS_TEXT: Final = (
    "The response has {size:,} bytes, which is too large for plain text. Send the header Accept-Encoding: gzip "
    "(curl --compressed), or request less."
)


class GatewayResponse(TypedDict):
    """What the ``api`` function returns to the gateway, in payload format 2.0."""

    statusCode: int
    headers: dict[str, str]
    body: str
    isBase64Encoded: bool


def encode(response: ApiResponse, accepted_encodings: str) -> GatewayResponse:
    """Encode a response; ``accepted_encodings`` is the caller's ``Accept-Encoding``."""
    body = msgspec.json.encode(response.body)
    if len(body) <= MAX_INLINE_BYTES:
        return _encode_as_text(response, body)
    if _accepts_gzip(accepted_encodings):
        return _compress(response, body)
    if text_size(body.decode()) > MAX_TEXT_BYTES:
        error = build_error(413, _TOO_LARGE_AS_TEXT.format(size=len(body)), *response.execution_arns)
        return _encode_as_text(error, msgspec.json.encode(error.body))
    return _encode_as_text(response, body)


def build(status: int, headers: dict[str, str], body: str, *, is_base64: bool = False) -> GatewayResponse:
    """Return a response whose body is JSON, or compressed JSON in base64."""
    headers = {"Content-Type": "application/json", **headers}
    return {"statusCode": status, "headers": headers, "body": body, "isBase64Encoded": is_base64}


def _encode_as_text(response: ApiResponse, body: bytes) -> GatewayResponse:
    return build(response.status, response.headers, body.decode())


def _compress(response: ApiResponse, body: bytes) -> GatewayResponse:
    # A higher level takes up to eight times as long and saves only a sixth.
    compressed = base64.b64encode(gzip.compress(body, compresslevel=1, mtime=0)).decode()
    headers = {**response.headers, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return build(response.status, headers, compressed, is_base64=True)


def _accepts_gzip(accepted_encodings: str) -> bool:
    """Whether the header names gzip, or else any encoding, without the weight 0 (RFC 9110, section 12.5.3)."""
    weights: dict[str, float] = {}
    for encoding in accepted_encodings.lower().split(","):
        name, *parameters = (part.strip() for part in encoding.split(";"))
        weights[name] = _read_weight(parameters)
    return weights.get("gzip", weights.get("*", 0)) > 0


def _read_weight(parameters: list[str]) -> float:
    """Return the weight; text that is not a number is ignored, as other servers do."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 1
    return 1
