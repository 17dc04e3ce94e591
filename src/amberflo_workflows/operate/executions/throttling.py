"""Retry reads that AWS throttles.

Clients make one attempt at every call, so that no workflow is started twice. Reads can safely be retried.
"""

from typing import Any, Final

_THROTTLING_ERRORS: Final = {"ThrottlingException", "TooManyRequestsException"}
_MAX_ATTEMPTS: Final = 8
_MAX_WAIT_SECONDS: Final = 4.0


def retry_throttled(client: Any, *operations: str) -> Any:
    """Let a client retry these operations, and return it."""
    service = client.meta.service_model.service_id.hyphenize()
    for operation in operations:
        event = f"needs-retry.{service}.{operation}"
        # A client is shared; the id prevents a second registration.
        client.meta.events.register(event, _get_wait_seconds, unique_id=f"retry-throttled-{event}")
    return client


def _get_wait_seconds(response: Any, attempts: int, **_: Any) -> float | None:
    """Return the wait before the next attempt; ``None`` for no further attempt."""
    if response is None or attempts >= _MAX_ATTEMPTS:
        return None
    code = response[1].get("Error", {}).get("Code")
    return min(0.25 * 2**attempts, _MAX_WAIT_SECONDS) if code in _THROTTLING_ERRORS else None
