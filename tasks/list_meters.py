"""List the meters, a page at a time.

Amberflo gives the whole list at once and unordered, so a page is cut here: by API name, after the one that the
token names. A token therefore stays good while meters come and go.

Request: ``{"limit"?, "next_token"?}``. Without a limit a page holds as many as an answer can carry. Answer: 200
with ``{"data": [meter…], "next_token": str | null}``, or a claim to that if it is large.
"""

import base64
import binascii
from typing import Annotated, Any, Final

import msgspec

from amberflo_workflows.core.claim_check import MAX_BODY_BYTES, store_if_large
from amberflo_workflows.core.meter import is_meter
from amberflo_workflows.core.response import ClaimResponse, StepResponse, success
from amberflo_workflows.tasks.amberflo.errors import AmberfloUnavailable
from amberflo_workflows.tasks.step import Step, step

# The rest is for the envelope with the token in it.
PAGE_BYTES: Final = MAX_BODY_BYTES - 2_000


class ListMeters(msgspec.Struct, forbid_unknown_fields=True):
    """Which page."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None
    next_token: str | None = None


def _request(request: Any) -> tuple[int | None, tuple[str, str]]:
    wanted = msgspec.convert(request, ListMeters, strict=False)
    return wanted.limit, _decode(wanted.next_token) if wanted.next_token else ("", "")


@step(_request)
def handler(request: tuple[int | None, tuple[str, str]], step: Step) -> StepResponse | ClaimResponse:
    limit, after = request
    found = step.amberflo.call("GET", "/meters")
    if not isinstance(found, list):
        raise AmberfloUnavailable("Amberflo answered GET /meters with what is not a list.")
    rest = sorted((meter for meter in found if is_meter(meter) and _position(meter) > after), key=_position)
    page = _fitting(rest[:limit])
    token = _encode(_position(page[-1])) if page and len(page) < len(rest) else None
    return store_if_large(
        success(200, page, next_token=token), step.execution.name, narrower="One meter alone is larger than that."
    )


def _position(meter: dict[str, Any]) -> tuple[str, str]:
    return str(meter["meterApiName"]), str(meter.get("id", ""))


def _fitting(meters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    room = PAGE_BYTES
    page: list[dict[str, Any]] = []
    for meter in meters:
        room -= len(msgspec.json.encode(meter)) + 1  # the comma
        if room < 0 and page:
            break
        page.append(meter)
    return page


def _encode(position: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")


def _decode(token: str) -> tuple[str, str]:
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(text, type=tuple[str, str])
    except (binascii.Error, ValueError):
        raise msgspec.ValidationError("Not a token that this list gave - at `$.next_token`") from None
