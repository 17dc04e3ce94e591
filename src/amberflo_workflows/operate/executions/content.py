"""What executions are searched for: their input, their error, and the response in their output."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

from amberflo_workflows.operate.errors import OperatorError

FIRST_ERROR_STATUS: Final = 400
_RESPONSE_STATUS: Final = re.compile(r"[1-5]xx|[1-5]\d\d", re.IGNORECASE)
_TENANT_MEMBER: Final = re.compile("tenant|customer", re.IGNORECASE)


def parse_response_status(output: str | None) -> int | None:
    """Return the ``statusCode`` of the response in an output; ``None`` if the output is not known or no response."""
    response = _parse_json(output)
    status = response.get("statusCode") if isinstance(response, dict) else None
    return status if type(status) is int else None


def parse_response_filter(text: str) -> range:
    """Parse a status, ``404``, or a class of them, ``4xx``, or ``error`` for 4xx and 5xx.

    Raises :class:`OperatorError`.
    """
    if text == "error":
        return range(FIRST_ERROR_STATUS, 600)
    if not _RESPONSE_STATUS.fullmatch(text):
        raise OperatorError(f"Unknown response status '{text}'. Use a status like 404, or 4xx, 5xx or error for both.")
    if text.isdecimal():
        return range(int(text), int(text) + 1)
    return range(int(text[0]) * 100, int(text[0]) * 100 + 100)


def describe_response_status(status: int) -> str:
    """Return a status with its meaning if it is an error: ``404 Not Found``."""
    try:
        return f"{status} {HTTPStatus(status).phrase}" if status >= FIRST_ERROR_STATUS else str(status)
    except ValueError:
        return str(status)


def count_error_responses(statuses: Iterable[int | None]) -> dict[int, int]:
    """Count each status of a response that is an error, by status."""
    counts = Counter(status for status in statuses if status is not None and status >= FIRST_ERROR_STATUS)
    return dict(sorted(counts.items()))


def build_error_text(error: str, cause: str, output: str | None) -> str:
    """Return all that an execution says about its failure: error, cause, and the body of an error response."""
    status = parse_response_status(output)
    body = output if status is not None and status >= FIRST_ERROR_STATUS else ""
    return f"{error}\n{cause}\n{body}"


def contains(text: str | None, part: str) -> bool:
    """Whether a text has a part, in upper or lower case."""
    return not part or (text is not None and part.casefold() in text.casefold())


def names_tenant(text: str | None, tenant: str) -> bool:
    """Whether an input has the tenant's id, or its name in Amberflo, as the value of a member for tenants."""
    # Parsing takes most of the time of a search. Without an escape the id is in the text as it is.
    if text is None or (tenant not in text and "\\" not in text):
        return False
    remaining = [(False, _parse_json(text))]
    while remaining:
        is_tenant, value = remaining.pop()
        if is_tenant and value == tenant:
            return True
        if isinstance(value, dict):
            remaining += [(bool(_TENANT_MEMBER.search(name)), member) for name, member in value.items()]
        elif isinstance(value, list):
            remaining += [(is_tenant, item) for item in value]
    return False


def _parse_json(text: str | None) -> Any:
    try:
        return json.loads(text or "null")
    except (ValueError, RecursionError):
        return None
